/** Work that is still under way when its request has ended. */
import { Controller, Post } from '@nestjs/common';
import { ScopedSession } from 'nestjs-scoped-session';

@Controller('late')
export class LateController {
  constructor(private readonly session: ScopedSession) {}

  /** The error that this gets names the request: `LateController.quick has ended …`. */
  @Post('forgotten')
  forgotten(): string {
    void this.report().catch((error: Error) => reported.push(error.message));
    return 'soon';
  }

  /** A unit of work of its own, for what is meant to outlive the request. */
  @Post('independently')
  independently(): string {
    void this.session
      .independently(() => this.report())
      .catch((error: Error) => reported.push(error.message));
    return 'soon';
  }

  private async report(): Promise<void> {
    await slowService();
    await this.session.execute("INSERT INTO orders (item) VALUES ('a report')");
  }
}

export const reported: string[] = [];
const slowService = () => new Promise<void>((resolve) => setTimeout(resolve, 50));
