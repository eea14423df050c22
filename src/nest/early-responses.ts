/** Tells of responses that handlers send by hand before their COMMIT: nobody can take them back. */
import type { Ending } from '../session/index.js';
import type { ActiveWork } from './active-work.js';
import type { HandlerPlan } from './handler-plan.js';
import { type HttpResponse, rawResponseOf } from './http-response.js';

export class EarlyResponses {
  readonly #warned = new WeakSet<HandlerPlan>();

  constructor(private readonly work: Pick<ActiveWork, 'warn' | 'report'>) {}

  /**
   * To be called when a unit of work has ended, and its answer would leave now.
   *
   * @param error - what it has failed with
   */
  look(response: HttpResponse, plan: HandlerPlan, { scope }: Ending, error: unknown): void {
    if (!scope.isUsed || plan.isEventStream || !rawResponseOf(response).headersSent) return;
    if (error !== undefined) return this.#report(response, plan, error);
    if (this.#warned.has(plan)) return;
    this.#warned.add(plan);
    this.work.warn(
      `${plan.label} sent its response through @Res() before the COMMIT; a COMMIT that fails cannot be told any more. ` +
        'Return the value, or use @Res({ passthrough: true }).',
    );
  }

  /** Each time: somebody believes in something that is not there. */
  #report({ statusCode }: HttpResponse, { label }: HandlerPlan, error: unknown): void {
    if (statusCode >= 400) return;
    const why = error instanceof Error ? error.message : String(error);
    this.work.report(
      `${label} had told its client ${statusCode} through @Res(), and what it did is not committed: ${why}`,
    );
  }
}
