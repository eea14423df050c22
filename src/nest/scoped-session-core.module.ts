/** What an application has once, however many databases: the middleware, the interceptor, the filter, the drain. */
import { Global, Inject, type MiddlewareConsumer, Module, type NestModule } from '@nestjs/common';
import { APP_FILTER, APP_INTERCEPTOR } from '@nestjs/core';
import { BackgroundTasks } from '../background/index.js';
import { ActiveWork } from './active-work.js';
import { BackgroundHost } from './background-host.js';
import { ClassSerializers } from './class-serializers.js';
import { Databases } from './databases.js';
import { ExcludedRequests, ExcludedRequestsMiddleware } from './excluded-requests.js';
import { MethodOwners } from './method-owners.js';
import { GraphQLOperations } from './graphql-operations.js';
import { ApolloPlugin } from './graphql-apollo.js';
import { MercuriusHooks } from './graphql-mercurius.js';
import { ScopeMiddleware } from './scope.middleware.js';
import { SessionErrorFilter } from './session-error.filter.js';
import { SessionInterceptor } from './session.interceptor.js';
import { UnservedMessages } from './unserved-messages.js';

const EVERY_ROUTE = '{*path}';

// Global, for then its middleware comes before that of the application, which may use the session.
@Global()
@Module({
  providers: [
    Databases,
    ActiveWork,
    BackgroundHost,
    { provide: BackgroundTasks, inject: [BackgroundHost], useFactory: ({ tasks }: BackgroundHost) => tasks },
    ExcludedRequests,
    ScopeMiddleware,
    UnservedMessages,
    ClassSerializers,
    MethodOwners,
    GraphQLOperations,
    ApolloPlugin,
    MercuriusHooks,
    SessionInterceptor,
    SessionErrorFilter,
    // useExisting, so that a test can override the class itself.
    { provide: APP_INTERCEPTOR, useExisting: SessionInterceptor },
    { provide: APP_FILTER, useExisting: SessionErrorFilter },
  ],
  // The last three for the interceptor, of which each module with a gateway that names it has one of its own.
  exports: [Databases, ActiveWork, BackgroundTasks, ExcludedRequests, UnservedMessages, GraphQLOperations],
})
export class ScopedSessionCoreModule implements NestModule {
  constructor(@Inject(Databases) private readonly databases: Databases) {}

  configure(consumer: MiddlewareConsumer): void {
    const exclude = [...this.databases.settings.exclude];
    if (exclude.length > 0) consumer.apply(ExcludedRequestsMiddleware).forRoutes(EVERY_ROUTE);
    consumer
      .apply(ScopeMiddleware)
      .exclude(...exclude)
      .forRoutes(EVERY_ROUTE);
  }
}
