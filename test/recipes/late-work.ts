/** Work that is still under way when its request has ended. */
import { Controller, Post } from '@nestjs/common';
import { BackgroundTasks, ScopedSession } from 'nestjs-scoped-session';

@Controller('late')
export class LateController {
  /** What became of it. */
  readonly outcomes: string[] = [];

  constructor(
    private readonly session: ScopedSession,
    private readonly tasks: BackgroundTasks,
  ) {}

  /** Refused: the error names the handler, `LateController.forgotten`, and the cure. */
  @Post('forgotten')
  forgotten(): string {
    void this.report().catch((error: Error) => this.outcomes.push(error.message));
    return 'soon';
  }

  /** A unit of work of its own, which outlives the request. */
  @Post('task')
  task(): string {
    const { done } = this.tasks.run(() => this.report());
    void done.then(({ outcome }) => this.outcomes.push(outcome));
    return 'soon';
  }

  private async report(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 50)); // some slow service
    await this.session.execute("INSERT INTO orders (item) VALUES ('a report')");
  }
}
