/** What is not there, in Nest's own words: its filters, over HTTP, GraphQL and microservices, know the class. */
import { NotFoundException } from '@nestjs/common';

export const notFound = (message: string | undefined, cause: Error): NotFoundException =>
  new NotFoundException(message, { cause, description: 'Not Found' });
