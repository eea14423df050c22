/** What a test and the handlers of messages tell each other, and the guard, the pipe and the filter that ask for a session. */
import {
  type ArgumentsHost,
  type CallHandler,
  type CanActivate,
  Catch,
  type ExceptionFilter,
  type ExecutionContext,
  Injectable,
  type NestInterceptor,
  type PipeTransform,
} from '@nestjs/common';
import { EventPattern, MessagePattern } from '@nestjs/microservices';
import { BaseWsExceptionFilter, SubscribeMessage, WsException } from '@nestjs/websockets';
import { currentScope, ScopedSession } from 'nestjs-scoped-session';
import { type Observable, tap, throwError } from 'rxjs';
import { signal } from './wait-until.js';

/** What a test and the handlers tell each other. */
@Injectable()
export class Stage {
  gate = signal();
  arrived = signal();
  seen: unknown[] = [];
  around: unknown[] = [];

  reset(): void {
    this.gate = signal();
    this.arrived = signal();
    this.seen = [];
    this.around = [];
  }
}

/** Notes how an attempt to use the session came out. */
@Injectable()
export class Attempt {
  constructor(
    private readonly session: ScopedSession,
    private readonly stage: Stage,
  ) {}

  make(): void {
    try {
      this.stage.seen.push(this.session.current());
    } catch (error) {
      this.stage.seen.push(error);
    }
  }
}

@Injectable()
export class AskingGuard implements CanActivate {
  constructor(private readonly attempt: Attempt) {}

  canActivate(): boolean {
    this.attempt.make();
    return true;
  }
}

/** Lets nobody in. */
@Injectable()
export class RefusingGuard implements CanActivate {
  canActivate(): boolean {
    return false;
  }
}

@Injectable()
export class AskingPipe implements PipeTransform {
  constructor(private readonly attempt: Attempt) {}

  transform(value: unknown): unknown {
    this.attempt.make();
    return value;
  }
}

@Injectable()
@Catch(RangeError)
export class AskingFilter implements ExceptionFilter {
  constructor(private readonly attempt: Attempt) {}

  catch(error: RangeError, host: ArgumentsHost): unknown {
    this.attempt.make();
    if (host.getType() === 'rpc') return throwError(() => ({ status: 'error', message: error.message }));
    return new BaseWsExceptionFilter().catch(new WsException(error.message), host);
  }
}

/** Notes, at each reply, whether the unit of work is around it. */
@Injectable()
export class AskingInterceptor implements NestInterceptor {
  constructor(private readonly stage: Stage) {}

  intercept(_context: ExecutionContext, next: CallHandler): Observable<unknown> {
    return next.handle().pipe(tap(() => this.stage.around.push(currentScope()?.isOpen ?? 'outside')));
  }
}

export const PROVIDERS = [
  Stage,
  Attempt,
  AskingGuard,
  RefusingGuard,
  AskingPipe,
  AskingFilter,
  AskingInterceptor,
];

// Their types ask for the handler's, which a decorator of both kinds cannot know.
const [OnEvent, OnSocket] = [EventPattern, SubscribeMessage] as unknown as [
  (pattern: string) => MethodDecorator,
  (pattern: string) => MethodDecorator,
];

/** A message, or an event of a socket: one pattern for both. */
export const Message = (pattern: string): MethodDecorator => both(MessagePattern(pattern), OnSocket(pattern));
export const Happening = (pattern: string): MethodDecorator => both(OnEvent(pattern), OnSocket(pattern));

function both(ofController: MethodDecorator, ofGateway: MethodDecorator): MethodDecorator {
  return (target, key, descriptor) => {
    ofController(target, key, descriptor);
    ofGateway(target, key, descriptor);
  };
}
