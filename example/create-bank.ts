/** Puts the application together; the tests start the same one. */
import { type INestApplication, type NestApplicationOptions, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import { BankModule } from './bank.module.js';

export async function createBank(options: NestApplicationOptions = {}): Promise<INestApplication> {
  const app = await NestFactory.create(BankModule, options);
  configureBank(app);
  return app;
}

/** Validation and the API page. */
export function configureBank(app: INestApplication): void {
  app.useGlobalPipes(new ValidationPipe({ transform: true, whitelist: true, forbidNonWhitelisted: true }));
  const description = new DocumentBuilder().setTitle('Bank').setVersion('1').build();
  SwaggerModule.setup('api', app, () => SwaggerModule.createDocument(app, description));
}
