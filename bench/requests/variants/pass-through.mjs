/** The bare application with one singleton interceptor that does nothing: what any interceptor costs. */
import { APP_INTERCEPTOR } from '@nestjs/core';
import bare from './bare.mjs';

export class PassThrough {
  intercept(_context, next) {
    return next.handle();
  }
}

export default function passThrough(database) {
  const { providers, ...rest } = bare(database);
  return { ...rest, providers: [...providers, { provide: APP_INTERCEPTOR, useClass: PassThrough }] };
}
