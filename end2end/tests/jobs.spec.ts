// Long work as people meet it: watched in the drawer and on its page, cancelled, found again.

import { createServer, request, type IncomingMessage, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Locator, Page } from '@playwright/test';
import type { Server } from '../support/server.ts';
import { bearer, expect, expectAccessible, ready, test as base, type Name } from '../support/test.ts';

/** As the API gives it. */
interface Job {
  id: string;
  title: string;
  state: string;
}

const test = base.extend<{ stalling: StallingRegistry }>({
  stalling: async ({ server, docker }, use) => {
    const registry = await StallingRegistry.start();
    await use(registry);
    registry.release();
    await expect.poll(() => liveJobs(server), { message: 'every job ends', timeout: 30_000 }).toEqual([]);
    await docker('rmi', '--force', registry.image);
    await registry.stop();
  },
});

test.use({ as: 'staff' });

test('a pull is watched in the drawer and on its page, to its end', async ({ page, stalling }) => {
  await open(page, '/images');
  await page.getByRole('button', { name: 'Pull image' }).first().click();
  const dialog = page.getByRole('dialog', { name: 'Pull an image' });
  await dialog.getByLabel('Image').fill(stalling.image);
  await dialog.getByRole('button', { name: 'Pull', exact: true }).click();
  await dialog.getByRole('button', { name: 'Close' }).first().click();
  await expect(dialog).toBeHidden();

  await page.getByRole('button', { name: '1 job waits or runs' }).click();
  const drawer = page.getByRole('dialog', { name: 'Running jobs' });
  const title = `Pull ${stalling.image}`;
  await expect(drawer.getByText('Running', { exact: true })).toBeVisible();
  await expectHalfDone(drawer.getByRole('progressbar', { name: title }));
  await drawer.getByText('Parts', { exact: true }).click();
  await expect(drawer.getByRole('row').filter({ hasText: 'Downloading' }).first()).toBeVisible();

  await drawer.getByRole('link', { name: title }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}$/);
  await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible();
  await expect(output(page)).toContainText(title.replace('Pull', 'Pulling'));
  await expectHalfDone(page.getByRole('main').getByRole('progressbar', { name: title, exact: true }));

  stalling.release();
  await expect(state(page, 'Succeeded')).toBeVisible();
  await expect(output(page)).toContainText('Status: Downloaded newer image');
  await expect(page.getByRole('button', { name: 'Cancel' })).toBeHidden();
  await expect(page.getByRole('button', { name: 'No job runs' })).toBeVisible();
});

test('a pull is cancelled from its page, which says so', async ({ page, server, stalling, docker }) => {
  const id = await pull(server, 'staff', stalling.image);
  await open(page, `/jobs/${id}`);
  await expect(state(page, 'Running')).toBeVisible();

  await page.getByRole('button', { name: 'Cancel', exact: true }).click();

  await expect(state(page, 'Cancelled')).toBeVisible();
  await expect(page.getByText('Cancelled while it ran.')).toBeVisible();
  await expect(page.getByRole('button', { name: /^Cancel/ })).toBeHidden();
  await page.reload();
  await expect(state(page, 'Cancelled')).toBeVisible();
  await expect(page.getByText('Cancelled while it ran.')).toBeVisible();
  expect(await docker('images', '--quiet', stalling.image)).toBe('');
});

test('a pull is cancelled from the drawer, which tells when nothing runs', async ({ page, server, stalling }) => {
  await pull(server, 'staff', stalling.image);
  await open(page, '/machines');
  await page.getByRole('button', { name: '1 job waits or runs' }).click();
  const drawer = page.getByRole('dialog', { name: 'Running jobs' });

  await drawer.getByRole('button', { name: `Cancel “Pull ${stalling.image}”` }).click();

  await expect(drawer.getByText('Nothing runs.')).toBeVisible();
  await expect(page.getByRole('button', { name: 'No job runs' })).toBeVisible();
});

test('the drawer closes behind a choice, and gives the focus back when it is closed', async ({ page, server, stalling }) => {
  await pull(server, 'staff', stalling.image);
  await open(page, '/machines');
  const opener = page.getByRole('button', { name: '1 job waits or runs' });
  const drawer = page.getByRole('dialog', { name: 'Running jobs' });

  await opener.click();
  // The focus goes into the drawer once there is something in it to go to.
  await expect(drawer.getByRole('link', { name: `Pull ${stalling.image}` })).toBeVisible();
  await page.keyboard.press('Tab');
  await page.keyboard.press('Escape');
  await expect(drawer).toBeHidden();
  await expect(opener).toBeFocused();

  await opener.click();
  await drawer.getByRole('link', { name: `Pull ${stalling.image}` }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}$/);
  await expect(drawer).toBeHidden();
});

test('the focus is not lost with the job that was cancelled from the drawer', async ({ page, server, stalling }) => {
  await pull(server, 'staff', stalling.image);
  await open(page, '/machines');
  await page.getByRole('button', { name: '1 job waits or runs' }).click();
  const drawer = page.getByRole('dialog', { name: 'Running jobs' });

  await drawer.getByRole('button', { name: /^Cancel/ }).press('Enter');
  await expect(drawer.getByText('Nothing runs.')).toBeVisible();
  await page.keyboard.press('Escape');

  await expect(drawer).toBeHidden();
  await expect(page.getByRole('button', { name: 'No job runs' })).toBeFocused();
});

test('a page that is reloaded mid-way goes on', async ({ page, server, stalling }) => {
  const id = await pull(server, 'staff', stalling.image);
  const title = `Pull ${stalling.image}`;
  await open(page, `/jobs/${id}`);
  await expectHalfDone(page.getByRole('main').getByRole('progressbar', { name: title, exact: true }));
  await expect(output(page)).toContainText('Pulling from');
  const before = await output(page).innerText();

  await page.reload();
  await ready(page);
  await expect(state(page, 'Running')).toBeVisible();
  await expectHalfDone(page.getByRole('main').getByRole('progressbar', { name: title, exact: true }));
  await expect.poll(() => output(page).innerText()).toBe(before);

  stalling.release();
  await expect(state(page, 'Succeeded')).toBeVisible();
  await expect(output(page)).toContainText('Status: Downloaded newer image');
  await expect(output(page).getByText(`Pulling ${stalling.image}`)).toHaveCount(1);
});

test('a page that was opened while the server was away comes when it is asked for again', async ({ page, server, guard }) => {
  test.setTimeout(120_000);
  guard.expects(/ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING|Failed to fetch/);
  await open(page, '/');
  const main = page.getByRole('navigation', { name: 'Main' });
  const again = page.getByRole('button', { name: 'Try again' });
  for (let round = 0; round < 3; round++) {
    await server.stop();
    await main.getByRole('link', { name: 'Runs' }).click();
    await expect(again).toBeVisible();
    for (let times = 0; times < 5; times++) await again.click();
    await expect(again).toBeVisible();
    await server.resume();
    await again.click();

    await expect(page.getByRole('heading', { level: 1, name: 'Runs' })).toBeVisible();
    await expect(page.getByText('No playbook was run yet.')).toBeVisible();
    await expect(again).toBeHidden();
    await main.getByRole('link', { name: 'Home' }).click();
    await expect(page.getByRole('heading', { level: 1, name: /^Welcome/ })).toBeVisible();
  }
});

for (const [how, end] of [
  ['stopped', (server: Server) => server.stop()],
  ['killed', (server: Server) => server.kill()],
] as const) {
  test(`a job whose server is ${how} is resumed, and its open page tells so`, async ({ page, server, stalling, guard }) => {
    test.setTimeout(120_000);
    guard.expects(/ERR_CONNECTION_REFUSED|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED_ENCODING/);
    const id = await pull(server, 'staff', stalling.image);
    await open(page, `/jobs/${id}`);
    await expect(output(page).getByText(`Pulling ${stalling.image}`)).toHaveCount(1);

    await end(server);
    await expect(page.getByRole('status').filter({ hasText: /Reconnecting|Offline/ })).toBeVisible();
    await server.resume();

    // A killed server cannot give its job back, so its claim must run out first.
    await expect(output(page).getByText(`Pulling ${stalling.image}`)).toHaveCount(2, { timeout: 40_000 });
    await expect(state(page, 'Running')).toBeVisible();
    await page.reload();
    await ready(page);
    await expect(state(page, 'Running')).toBeVisible();
    await expect(output(page).getByText(`Pulling ${stalling.image}`)).toHaveCount(2);

    stalling.release();
    await expect(state(page, 'Succeeded')).toBeVisible({ timeout: 30_000 });
  });
}

test('the list is filtered by state, and its address keeps that', async ({ page, server, stalling }) => {
  const missing = stalling.image.replace(/:1$/, ':never-there');
  const [failed, running] = [await pull(server, 'staff', missing), await pull(server, 'staff', stalling.image)];
  await expect.poll(() => stateOf(server, failed)).toBe('failed');
  await open(page, '/jobs');
  await expect(row(page, `Pull ${missing}`).getByText('Failed', { exact: true })).toBeVisible();
  await expect(row(page, `Pull ${stalling.image}`).getByText('Running', { exact: true })).toBeVisible();

  await page.getByLabel('State').selectOption({ label: 'Failed' });
  await expect(row(page, `Pull ${stalling.image}`)).toBeHidden();
  await expect(row(page, `Pull ${missing}`)).toBeVisible();
  await expect(page).toHaveURL(/\/jobs\?state=failed$/);
  await page.reload();
  await ready(page);
  await expect(page.getByLabel('State')).toHaveValue('failed');
  await expect(row(page, `Pull ${missing}`)).toBeVisible();
  await expect(row(page, `Pull ${stalling.image}`)).toBeHidden();

  await page.getByLabel('State').selectOption({ label: 'Running' });
  await expect(row(page, `Pull ${stalling.image}`)).toBeVisible();
  await expect(row(page, `Pull ${missing}`)).toBeHidden();
  await server.api('POST', `jobs/${running}/cancel`, undefined, await bearer(server, 'staff'));
  await expect(page.getByText('Nothing matches.')).toBeVisible();

  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await expect(page).toHaveURL(/\/jobs$/);
  await expect(row(page, `Pull ${stalling.image}`).getByText('Cancelled', { exact: true })).toBeVisible();
  await page.getByLabel('Search in titles').fill('never-there');
  await expect(row(page, `Pull ${stalling.image}`)).toBeHidden();
  await row(page, `Pull ${missing}`).getByRole('link').click();
  await expect(state(page, 'Failed')).toBeVisible();
  await expect(page.getByText(/not found|unknown/).first()).toBeVisible();
});

test('the list is sorted and exported as it is filtered', async ({ page, server, stalling }) => {
  const [early, late] = ['aaa', 'zzz'].map((tag) => stalling.image.replace(/:1$/, `:${tag}-never-there`));
  for (const missing of [late!, early!]) {
    const job = await pull(server, 'staff', missing);
    await expect.poll(() => stateOf(server, job)).toBe('failed');
  }
  const port = stalling.image.split('/')[0]!.split(':')[1]!;
  await open(page, `/jobs?q=${port}`);
  await expect(page.getByRole('row').nth(1)).toContainText('aaa');

  await page.getByRole('link', { name: 'What', exact: true }).click();
  await expect(page.getByRole('columnheader', { name: 'What' })).toHaveAttribute('aria-sort', 'ascending');
  await page.getByRole('link', { name: 'What', exact: true }).click();
  await expect(page).toHaveURL(/sort=-title/);
  await expect(page.getByRole('row').nth(1)).toContainText('zzz');

  await page.getByRole('button', { name: 'Export', exact: true }).click();
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click()]);
  let text = '';
  for await (const part of await download.createReadStream()) text += String(part);
  const lines = text.trim().split('\r\n');
  expect(lines[0]).toMatch(/^id,customer,kind,title,state/);
  expect(lines).toHaveLength(3);
  expect(lines[1]).toContain('zzz');
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('sees the jobs of their customer, and is told why none can be cancelled', async ({ page, server, stalling }) => {
    const id = await pull(server, 'regular', stalling.image);
    const title = `Pull ${stalling.image}`;
    await open(page, '/jobs');
    await expect(row(page, title).getByText('Running', { exact: true })).toBeVisible();
    await expect(row(page, title)).toContainText('rosa');

    await page.getByRole('button', { name: '1 job waits or runs' }).click();
    const drawer = page.getByRole('dialog', { name: 'Running jobs' });
    const inDrawer = drawer.getByRole('button', { name: `Cancel “${title}”` });
    await expect(inDrawer).toHaveAttribute('aria-disabled', 'true');
    await expect(inDrawer).toHaveAttribute('title', /Viewers look and change nothing/);
    await inDrawer.click({ force: true });
    await page.keyboard.press('Escape');

    await row(page, title).getByRole('link').click();
    const cancel = page.getByRole('main').getByRole('button', { name: /^Cancel/ });
    await expect(cancel).toHaveAttribute('aria-disabled', 'true');
    await expect(cancel).toHaveAttribute('title', /Viewers look and change nothing/);
    await cancel.click({ force: true });
    await expect(output(page)).toContainText('Pulling');
    await expect(state(page, 'Running')).toBeVisible();
    const refused = server.api('POST', `jobs/${id}/cancel`, undefined, await bearer(server, 'viewer'));
    await expect(refused).rejects.toThrow(/403.*Viewers look and change nothing/);
  });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('the list and the page of a job are accessible', async ({ page, server, stalling }) => {
      const missing = stalling.image.replace(/:1$/, ':never-there');
      const failed = await pull(server, 'staff', missing);
      const running = await pull(server, 'staff', stalling.image);
      await expect.poll(() => stateOf(server, failed)).toBe('failed');

      await open(page, '/jobs');
      await expect(row(page, `Pull ${stalling.image}`).getByRole('progressbar')).toBeVisible();
      await expectAccessible(page);

      for (const id of [running, failed]) {
        await open(page, `/jobs/${id}`);
        await expect(output(page)).toContainText('Pulling');
        await page.getByText('Operation', { exact: true }).click();
        await expectAccessible(page);
      }
      await open(page, `/jobs/${running}`);
      stalling.release();
      await expect(state(page, 'Succeeded')).toBeVisible();
      await expectAccessible(page);
    });

    test('the drawer is accessible, with a job in it and without', async ({ page, server, stalling }) => {
      await pull(server, 'staff', stalling.image);
      await open(page, '/machines');
      await page.getByRole('button', { name: '1 job waits or runs' }).click();
      const drawer = page.getByRole('dialog', { name: 'Running jobs' });
      await drawer.getByText('Parts', { exact: true }).click();
      await expect(drawer.getByRole('row').filter({ hasText: 'Downloading' }).first()).toBeVisible();
      await expectAccessible(page);

      stalling.release();
      await expect(drawer.getByText('Nothing runs.')).toBeVisible();
      await expectAccessible(page);
    });
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test('nothing is wider than the screen, and a job can be cancelled', async ({ page, server, stalling }) => {
    const id = await pull(server, 'staff', stalling.image);
    await open(page, '/jobs');
    await expect(page.getByRole('link', { name: `Pull ${stalling.image}` })).toBeVisible();
    await expectFits(page);

    await open(page, `/jobs/${id}`);
    await expectFits(page);
    await page.getByRole('button', { name: 'Cancel', exact: true }).tap();
    await expect(state(page, 'Cancelled')).toBeVisible();
    await expectFits(page);
  });

  test('the drawer shows all of a job, and cancels it', async ({ page, server, stalling }) => {
    await pull(server, 'staff', stalling.image);
    await open(page, '/machines');
    await page.getByRole('button', { name: '1 job waits or runs' }).tap();
    const drawer = page.getByRole('dialog', { name: 'Running jobs' });
    const cancel = drawer.getByRole('button', { name: /^Cancel/ });
    await expect(drawer.getByRole('progressbar').first()).toBeInViewport({ ratio: 1 });
    await expect(cancel).toBeInViewport({ ratio: 1 });
    await expectFits(page);

    await cancel.tap();
    await expect(drawer.getByText('Nothing runs.')).toBeVisible();
  });
});

test('jobs speak Spanish', async ({ page, server, stalling }) => {
  const id = await pull(server, 'staff', stalling.image);
  await open(page, '/jobs');
  await page.getByRole('button', { name: 'Switch to Spanish' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Trabajos' })).toBeVisible();
  await expect(row(page, stalling.image).getByText('En curso', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: '1 trabajo en espera o en curso' }).click();
  await expect(page.getByRole('dialog', { name: 'Trabajos en curso' }).getByText('Partes')).toBeVisible();

  await open(page, `/jobs/${id}`);
  await expect(page.locator('html')).toHaveAttribute('lang', 'es');
  await expect(page.getByRole('heading', { level: 2, name: 'Salida' })).toBeVisible();
  await page.getByRole('button', { name: 'Cancelar', exact: true }).click();
  await expect(state(page, 'Cancelado')).toBeVisible();
});

/**
 * A stand-in for a registry that stops half-way. It passes on what the real one says and keeps
 * back the second half of each large layer until it is released.
 */
class StallingRegistry {
  private let = () => {};
  private readonly released = new Promise<void>((done) => (this.let = done));

  private constructor(private readonly http: HttpServer) {}

  static async start(): Promise<StallingRegistry> {
    const http = createServer();
    const registry = new StallingRegistry(http);
    http.on('request', (asked, answer) => registry.passOn(asked, answer));
    await new Promise<void>((listening) => http.listen(0, '127.0.0.1', listening));
    return registry;
  }

  /** An image of several large layers, as it is called here. */
  get image(): string {
    const { port } = this.http.address() as AddressInfo;
    return required('MUELLE_TEST_BIG_IMAGE').replace(/^[^/]+/, `localhost:${port}`);
  }

  /** Lets everything through, what waits and what comes. */
  release(): void {
    this.let();
  }

  async stop(): Promise<void> {
    this.http.closeAllConnections();
    await new Promise((stopped) => this.http.close(stopped));
  }

  private passOn(asked: IncomingMessage, answer: ServerResponse): void {
    const there = new URL(asked.url ?? '/', `http://${required('MUELLE_TEST_REGISTRY')}`);
    const passed = request(there, { method: asked.method, headers: asked.headers }, (said) => {
      answer.writeHead(said.statusCode ?? 502, said.headers);
      const half = Number(said.headers['content-length'] ?? 0) / 2;
      const isLayer = asked.method === 'GET' && half > 250_000;
      let sent = 0;
      said.on('data', (piece: Buffer) => {
        answer.write(piece);
        sent += piece.length;
        if (isLayer && sent >= half) {
          said.pause();
          void this.released.then(() => said.resume());
        }
      });
      said.on('end', () => answer.end());
      // Whoever cancels a pull goes away in the middle.
      said.on('error', () => answer.destroy());
      answer.on('close', () => said.destroy());
    });
    passed.on('error', () => answer.destroy());
    asked.pipe(passed);
  }
}

/** Begins a pull as somebody and gives its job. */
async function pull(server: Server, as: Name, image: string): Promise<string> {
  const token = await bearer(server, as);
  const body = { operation: 'pull', data: { image } };
  const { job } = await server.api<{ job: Job }>('POST', 'engines/local/images/operations', body, token);
  return job.id;
}

async function stateOf(server: Server, id: string): Promise<string> {
  return (await server.api<Job>('GET', `jobs/${id}`, undefined, await bearer(server, 'staff'))).state;
}

/** Titles of the jobs that wait or run. */
async function liveJobs(server: Server): Promise<string[]> {
  const token = await bearer(server, 'staff');
  const jobs = async (state: string) =>
    (await server.api<{ items: Job[] }>('GET', `jobs?state=${state}`, undefined, token)).items;
  return [...(await jobs('queued')), ...(await jobs('running'))].map((job) => job.title);
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await ready(page);
}

function row(page: Page, title: string): Locator {
  return page.getByRole('row').filter({ has: page.getByRole('link', { name: title }) });
}

/** The state of the job whose page is open, as a word. */
function state(page: Page, word: string): Locator {
  return page.getByRole('main').getByText(word, { exact: true });
}

function output(page: Page): Locator {
  return page.getByRole('log');
}

/** Waits until a bar tells that a part is done and a part is not. */
async function expectHalfDone(bar: Locator): Promise<void> {
  await expect(bar).toHaveAttribute('value', /^0\.\d*[1-9]/);
}

async function expectFits(page: Page): Promise<void> {
  const surplus = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(surplus, 'pixels beyond the edge').toBeLessThanOrEqual(0);
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` or \`scripts/services up\` provides it`);
  return value;
}
