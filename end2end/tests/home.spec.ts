// The first page: what needs attention, how everything stands, and the way to it.

import type { Locator, Page } from '@playwright/test';
import type { Server } from '../support/server.ts';
import { bearer, expect, expectAccessible, ready, test } from '../support/test.ts';

const image = required('MUELLE_TEST_IMAGE');

test.use({ as: 'staff' });

test('an unhealthy container is named while it is unhealthy, and leads to itself', async ({ page, docker }) => {
  await open(page, '/');

  await unhealthy(docker, 'pale');
  const pale = wanting(page, 'pale is unhealthy');
  await expect(pale).toBeVisible();
  await expect(pale).toContainText(image);
  await page.reload();
  await ready(page);
  await pale.getByRole('link', { name: 'Open' }).click();
  await expect(page).toHaveURL(/\/containers\/[0-9a-f]+$/);
  await expect(page.getByRole('heading', { level: 1, name: 'pale' })).toBeVisible();

  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Home' }).click();
  await expect(pale).toBeVisible();
  await docker('rm', '--force', 'pale');
  await expect(pale).toBeHidden();
});

test('a container that restarts over and over is named', async ({ page, docker }) => {
  await open(page, '/');

  await docker('run', '--detach', '--name', 'dizzy', '--restart', 'always', image, 'false');

  await expect(wanting(page, 'dizzy is restarting over and over')).toBeVisible();
});

test('a failed job is named with its reason and leads to itself', async ({ page, server }) => {
  const missing = image.replace(/:1$/, ':nobody-ever-pushed-it');
  await open(page, '/');

  await pull(server, missing);
  const failed = wanting(page, `Pull ${missing} failed`);
  await expect(failed).toContainText(/not found|unknown/);
  await expect(panel(page, 'Last jobs').getByRole('listitem').filter({ hasText: missing })).toContainText('Failed');
  await failed.getByRole('link', { name: 'Open' }).click();
  await expect(page).toHaveURL(/\/jobs\/[0-9a-f-]{36}$/);
  await expect(page.getByRole('heading', { level: 1, name: `Pull ${missing}` })).toBeVisible();
});

test('an engine that goes away is told, and no longer when it is back', async ({ page, engine }) => {
  await open(page, '/');
  const engines = panel(page, 'Docker engines');
  await expect(engines.getByText('Up', { exact: true })).toBeVisible();
  const away = wanting(page, 'The Docker engine local is away');
  await expect(away).toBeHidden();

  await engine.stop();
  await expect(away).toBeVisible({ timeout: 15_000 });
  await expect(engines.getByText('Away', { exact: true })).toBeVisible();
  await page.reload();
  await ready(page);
  await expect(away).toBeVisible();
  await away.getByRole('link', { name: 'Open' }).click();
  await expect(page).toHaveURL(/\/containers$/);
  await page.goBack();
  await expect(away).toBeVisible();

  await engine.start();
  await expect(away).toBeHidden({ timeout: 30_000 });
  await expect(engines.getByText('Up', { exact: true })).toBeVisible();
});

test('the counts of records follow what is kept and lead to the lists', async ({ page, server }) => {
  const token = await bearer(server, 'staff');
  await open(page, '/');
  for (const [plural, label] of [
    ['customers', 'Customers'],
    ['hosts', 'Hosts'],
    ['machines', 'Machines'],
    ['playbooks', 'Playbooks'],
    ['users', 'Users'],
  ] as const) {
    await test.step(plural, async () => {
      const { total } = await server.api<{ total: number }>('GET', `${plural}?per_page=1`, undefined, token);
      const count = panel(page, 'Records').getByRole('link', { name: label });
      await expect(count).toHaveText(`${total}${label}`);
      await count.click();
      await expect(page).toHaveURL(new RegExp(`/${plural}$`));
      await expect(page.getByRole('heading', { level: 1, name: label })).toBeVisible();
      await page.goBack();
      await expect(panel(page, 'Records')).toBeVisible();
    });
  }

  const machines = panel(page, 'Records').getByRole('link', { name: 'Machines' });
  const before = Number.parseInt(await machines.innerText(), 10);
  await server.api('POST', 'machines', { name: 'counted', type: 'remote' }, token);
  await expect(machines).toHaveText(`${before + 1}Machines`);
});

test('the last changes name the record, and who changed it', async ({ page, server }) => {
  const token = await bearer(server, 'staff');
  await open(page, '/');
  const changes = panel(page, 'Last changes').getByRole('listitem');

  const made = await server.api<{ id: string }>('POST', 'machines', { name: 'bollard-7', type: 'remote' }, token);
  const created = changes.filter({ hasText: 'Machine bollard-7: created' });
  await expect(created).toContainText('staff');
  await server.api('PUT', `machines/${made.id}`, { ...made, name: 'bollard-8' }, token);
  await expect(changes.filter({ hasText: 'Machine bollard-8: changed' })).toBeVisible();

  await changes.getByRole('link', { name: 'Machine bollard-8: changed' }).click();
  await expect(page).toHaveURL(new RegExp(`/machines/${made.id}$`));
  await expect(page.getByRole('heading', { level: 1, name: 'bollard-8' })).toBeVisible();
});

test('the figures of the engine lead to what they count', async ({ page, docker }) => {
  await docker('run', '--detach', '--name', 'afloat', image, 'sleep', '600');
  await docker('create', '--name', 'ashore', image);
  await open(page, '/');
  const engines = panel(page, 'Docker engines');

  await expect(engines.getByRole('link', { name: 'running' })).toHaveText('1running');
  await expect(engines.getByRole('link', { name: 'stopped' })).toHaveText('1stopped');
  await engines.getByRole('link', { name: 'running' }).click();
  await expect(page).toHaveURL(/\/containers\?state=running$/);
  await expect(page.getByRole('link', { name: 'afloat', exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: 'ashore', exact: true })).toBeHidden();
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('sees how things stand, not who changed what, and begins nothing', async ({ page }) => {
    await open(page, '/');

    await expect(page.getByRole('heading', { level: 1, name: /vera/ })).toBeVisible();
    await expect(panel(page, 'Docker engines')).toBeVisible();
    await expect(page.getByRole('heading', { name: 'Last changes' })).toBeHidden();
    const begin = page.getByRole('link', { name: /^New container/ });
    await expect(begin).toHaveAttribute('aria-disabled', 'true');
    await expect(begin).toHaveAttribute('title', /Viewers look and change nothing/);
  });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('the page is accessible, with something to look at and without an engine', async ({ page, server, docker, engine }) => {
      await unhealthy(docker, 'unwell');
      await pull(server, image.replace(/:1$/, `:not-on-the-shelf-${colorScheme}`));
      await open(page, '/');
      await expect(wanting(page, 'unwell is unhealthy')).toBeVisible();
      await expect(wanting(page, `not-on-the-shelf-${colorScheme} failed`)).toBeVisible();
      await expectAccessible(page);

      await engine.stop();
      await expect(wanting(page, 'The Docker engine local is away')).toBeVisible({ timeout: 15_000 });
      await expectAccessible(page);
    });
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test('nothing is wider than the screen, and what needs attention is within reach', async ({ page, server, docker }) => {
    await unhealthy(docker, 'a-container-with-a-name-that-does-not-fit-on-a-line-of-a-phone');
    await pull(server, `${image.replace(/:1$/, '')}:a-tag-that-is-as-long-as-those-of-a-nightly-build-2026-11-22`);
    await open(page, '/');
    const pale = wanting(page, 'a-container-with-a-name-that-does-not-fit-on-a-line-of-a-phone is unhealthy');
    await expect(pale).toBeVisible();
    await expect(wanting(page, /nightly-build-2026-11-22 failed/).first()).toBeVisible();

    const surplus = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(surplus, 'pixels beyond the edge').toBeLessThanOrEqual(0);
    await pale.getByRole('link', { name: 'Open' }).tap();
    await expect(page).toHaveURL(/\/containers\/[0-9a-f]+$/);
  });
});

test('the page speaks Spanish', async ({ page, server, docker }) => {
  const token = await bearer(server, 'staff');
  await unhealthy(docker, 'palida');
  await server.api('POST', 'machines', { name: 'grua-9', type: 'remote' }, token);
  await open(page, '/');
  await page.getByRole('button', { name: 'Switch to Spanish' }).click();

  await expect(page.getByRole('heading', { level: 1, name: 'Le damos la bienvenida, staff' })).toBeVisible();
  const attention = page.getByRole('region', { name: 'Pide atención' });
  await expect(attention.getByRole('listitem').filter({ hasText: 'palida no está sano' })).toBeVisible();
  await expect(panel(page, 'Motores Docker').getByRole('link', { name: 'en marcha' })).toBeVisible();
  await expect(panel(page, 'Registros').getByRole('link', { name: 'Máquinas' })).toBeVisible();
  const changes = panel(page, 'Últimos cambios').getByRole('listitem');
  await expect(changes.filter({ hasText: 'Máquina grua-9: creado' })).toBeVisible();
});

test('what is done to a container is told in the language of the page', async ({ page, server, docker }) => {
  const token = await bearer(server, 'staff');
  await docker('run', '--detach', '--name', 'quieta', image, 'sleep', '600');
  await open(page, '/');
  await page.getByRole('button', { name: 'Switch to Spanish' }).click();
  const changes = panel(page, 'Últimos cambios').getByRole('listitem');

  await server.api('POST', 'engines/local/containers/operations', { operation: 'pause', object: 'quieta' }, token);
  await expect(changes.filter({ hasText: 'quieta' })).toContainText('Contenedor');
  await expect(changes.filter({ hasText: 'quieta' })).not.toContainText('pause');
});

/** Runs a container whose health check fails from its first second on. */
async function unhealthy(docker: (...args: string[]) => Promise<string>, name: string): Promise<void> {
  const check = ['--health-cmd', 'false', '--health-interval', '1s', '--health-retries', '1'];
  // It ends at once with its engine.
  await docker('run', '--detach', '--stop-signal', 'KILL', '--name', name, ...check, image, 'sleep', '600');
}

/** Begins a pull that cannot work, for the platform, and waits for its end. */
async function pull(server: Server, missing: string): Promise<void> {
  const token = await bearer(server, 'staff');
  const body = { operation: 'pull', data: { image: missing } };
  const { job } = await server.api<{ job: { id: string } }>('POST', 'engines/local/images/operations', body, token);
  const state = async () => (await server.api<{ state: string }>('GET', `jobs/${job.id}`, undefined, token)).state;
  await expect.poll(state).toBe('failed');
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await ready(page);
}

/** An entry of what needs attention. */
function wanting(page: Page, text: string | RegExp): Locator {
  return page.getByRole('region', { name: 'Needs attention' }).getByRole('listitem').filter({ hasText: text });
}

/** A part of the page by its heading. */
function panel(page: Page, heading: string): Locator {
  return page.locator('section').filter({ has: page.getByRole('heading', { name: heading, exact: true }) });
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` or \`scripts/services up\` provides it`);
  return value;
}
