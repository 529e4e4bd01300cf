// Fails a test on what a person would not see: console errors, hydration warnings, violations
// of the content security policy, uncaught errors.

import { expect, type BrowserContext, type ConsoleMessage } from '@playwright/test';

export class Guard {
  private readonly complaints: string[] = [];
  private readonly expected: RegExp[] = [];

  /** Watches every page of a context, also those opened later. */
  async watch(context: BrowserContext): Promise<void> {
    await context.exposeBinding('reportViolation', (_, text: string) => this.complain(text));
    await context.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => {
        const report = (window as unknown as { reportViolation(text: string): void }).reportViolation;
        report(`content security policy: ${event.violatedDirective} refused ${event.blockedURI} ${event.sample}`);
      });
    });
    context.on('console', (message) => {
      if (isTrouble(message)) this.complain(`console ${message.type()}: ${message.text()} (${message.location().url})`);
    });
    context.on('weberror', (error) => this.complain(`uncaught: ${error.error().stack ?? error.error().message}`));
  }

  /** Says that this test provokes a complaint, such as a refused request in the console. */
  expects(complaint: RegExp): void {
    this.expected.push(complaint);
  }

  /** Fails when something was complained about that the test did not expect. */
  verify(): void {
    const surprises = this.complaints.filter((text) => !this.expected.some((known) => known.test(text)));
    expect(surprises, 'the browser complained').toEqual([]);
  }

  private complain(text: string): void {
    this.complaints.push(text);
  }
}

function isTrouble(message: ConsoleMessage): boolean {
  // A page that is left while a part of the program still comes says so, to nobody.
  if (/WebAssembly .*Response body loading was aborted/.test(message.text())) return false;
  return message.type() === 'error' || (message.type() === 'warning' && /hydrat|mismatch/i.test(message.text()));
}
