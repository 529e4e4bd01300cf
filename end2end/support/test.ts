// `test` and `expect` for every story: a real server and engine for each worker, a page that is
// already signed in, and a guard that listens for what goes wrong behind the screen.

import { AxeBuilder } from '@axe-core/playwright';
import { test as base, expect, type BrowserContext, type Page } from '@playwright/test';
import { Engine } from './engine.ts';
import { Guard } from './guard.ts';
import { people, password, settle, signIn, fillSignIn, register, bearer, type Name, type Person } from './people.ts';
import { Server } from './server.ts';

export { expect, people, password, signIn, fillSignIn, register, bearer };
export type { Name, Person };

/** The registries that scripts/services started. */
export interface Registry {
  /** `host:port` of the one that lets everybody in. */
  open: string;
  /** `host:port` of the one with a password. */
  private: string;
  username: string;
  password: string;
}

/** The cookies of somebody who is not signed in. */
const nobody = { cookies: [], origins: [] };

interface TestFixtures {
  /** Who is signed in on `page`; `null` for nobody. Set it with `test.use({ as: 'viewer' })`. */
  as: Name | null;
  guard: Guard;
  /** Opens a page for another person, in a browser of their own. */
  pageOf: (name: Name | null) => Promise<Page>;
  /** Runs docker against the server's engine, behind its back. */
  docker: (...args: string[]) => Promise<string>;
  /** The server's engine, to be stopped or frozen; it runs again before the next test. */
  engine: Engine;
}

interface WorkerFixtures {
  /** True for a server that nobody has used: no people, nobody signed in. */
  firstStart: boolean;
  registry: Registry;
  sharedEngine: Engine;
  server: Server;
  /** Cookies of a person, signed in once and kept. */
  cookiesOf: (name: Name) => Promise<Awaited<ReturnType<BrowserContext['storageState']>>>;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  as: ['admin', { option: true }],
  firstStart: [false, { option: true, scope: 'worker' }],

  registry: [
    async ({}, use) => {
      await use({
        open: required('MUELLE_TEST_REGISTRY'),
        private: required('MUELLE_TEST_PRIVATE_REGISTRY'),
        username: 'muelle',
        password: 'muelle-~~~-secret',
      });
    },
    { scope: 'worker' },
  ],

  sharedEngine: [
    async ({}, use) => {
      const engine = await Engine.start();
      try {
        await engine.docker('pull', required('MUELLE_TEST_IMAGE'));
        await use(engine);
      } finally {
        await engine.remove();
      }
    },
    { scope: 'worker' },
  ],

  server: [
    async ({ sharedEngine, firstStart }, use) => {
      const server = await Server.start({ engine: sharedEngine.address });
      try {
        if (!firstStart) await settle(server);
        await use(server);
      } finally {
        await server.remove();
      }
    },
    { scope: 'worker', timeout: 60_000 },
  ],

  cookiesOf: [
    async ({ browser, server }, use) => {
      const kept = new Map<Name, Awaited<ReturnType<BrowserContext['storageState']>>>();
      await use(async (name) => {
        const known = kept.get(name);
        if (known) return known;
        const context = await browser.newContext({ baseURL: server.url, storageState: nobody });
        await signIn(await context.newPage(), name);
        const { cookies: all, origins } = await context.storageState();
        // The login alone: language and theme follow the browser of each story.
        const cookies = { cookies: all.filter((cookie) => cookie.httpOnly), origins };
        await context.close();
        kept.set(name, cookies);
        return cookies;
      });
    },
    { scope: 'worker' },
  ],

  guard: async ({}, use) => {
    const guard = new Guard();
    await use(guard);
    guard.verify();
  },

  baseURL: async ({ server }, use) => use(server.url),

  storageState: async ({ as, firstStart, cookiesOf }, use) =>
    use(as === null || firstStart ? nobody : await cookiesOf(as)),

  // The engine is tidied after the pages are closed: an open one would ask for what has gone.
  context: async ({ engine: _engine, guard, context }, use) => {
    await guard.watch(context);
    await use(context);
  },

  pageOf: async ({ browser, baseURL, cookiesOf, guard }, use) => {
    const opened: BrowserContext[] = [];
    await use(async (name) => {
      const context = await browser.newContext({
        baseURL,
        // Left out, it would be that of the person on `page`.
        storageState: name === null ? nobody : await cookiesOf(name),
      });
      opened.push(context);
      await guard.watch(context);
      return context.newPage();
    });
    for (const context of opened) await context.close();
  },

  docker: async ({ engine }, use) => use((...args) => engine.docker(...args)),

  engine: async ({ sharedEngine }, use) => {
    await use(sharedEngine);
    await sharedEngine.tidy();
  },
});

/** Fails when axe finds a problem that the Web Content Accessibility Guidelines name (2.2 AA). */
export async function expectAccessible(page: Page): Promise<void> {
  const { violations } = await new AxeBuilder({ page })
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  const found = violations.map(({ id, help, nodes }) => ({
    id,
    help,
    at: nodes.map((node) => `${node.target.join(' ')}: ${node.failureSummary}`),
  }));
  expect(found, 'accessibility').toEqual([]);
}

/** Waits until the page listens to the person: what is clicked before would be lost. */
export async function ready(page: Page): Promise<void> {
  // A browser needs seconds to compile the program of the development build for the first time.
  await expect(page.locator('html')).toHaveAttribute('data-hydrated', 'true', { timeout: 30_000 });
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` or \`scripts/services up\` provides it`);
  return value;
}
