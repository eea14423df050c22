/** The least that any library of this kind must do: hand-written transactions, inside an AsyncLocalStorage and an interceptor. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { Module } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import handWritten from './hand-written.mjs';
import { PassThrough } from './pass-through.mjs';

const storage = new AsyncLocalStorage();

class ContextMiddleware {
  use(_request, _response, next) {
    storage.run({}, next);
  }
}

class ContextModule {
  configure(consumer) {
    consumer.apply(ContextMiddleware).forRoutes('{*path}');
  }
}
Module({})(ContextModule);

export default function contextOnly(database) {
  const { imports, providers, ...rest } = handWritten(database);
  return {
    ...rest,
    imports: [...imports, ContextModule],
    providers: [...providers, { provide: APP_INTERCEPTOR, useClass: PassThrough }],
  };
}
