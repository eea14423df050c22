/** Values of a request in a singleton: nothing of Nest's REQUEST scope is needed, and nothing stays behind. */
import { Injectable } from '@nestjs/common';
import { AsyncLocalRegistry } from 'nestjs-scoped-session';

export class Visit {
  readonly steps: string[] = [];
}

@Injectable()
export class Visits {
  private readonly ofRequests = new AsyncLocalRegistry(() => new Visit());

  /** The visit of the request, message or job in which this is called. */
  get current(): Visit {
    return this.ofRequests.get();
  }
}
