// What stays with a customer, and what a viewer leaves as it is.

import { createServer, type AddressInfo } from 'node:net';
import type { Locator, Page } from '@playwright/test';
import type { Server } from '../support/server.ts';
import { bearer, expect, expectAccessible, people, ready, test, type Name } from '../support/test.ts';

const image = required('MUELLE_TEST_IMAGE');
/** An identifier that no record has. */
const nowhere = '01900000-0000-7000-8000-000000000000';
const viewersOnlyRead = /Viewers look and change nothing/;

/** Something that belongs to Acme. */
interface Thing {
  /** Where its own people find it. */
  address: string;
  /** What would betray it. */
  word: string;
}

test('another customer finds nothing in any list, by search or on the first page', async ({ pageOf, server, docker }) => {
  const acme = await belongings(server, docker, 'listed');
  const page = await pageOf('stranger');
  const own = `muelle.customer=${await customer(server, 'stranger')}`;
  await docker('run', '--detach', '--name', 'own-boat', '--label', own, image, 'sleep', '600');
  await expectAll(server, acme);

  for (const list of ['machines', 'hosts', 'playbooks', 'users', 'containers', 'jobs']) {
    await test.step(list, async () => {
      await open(page, `/${list}`);
      await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
      for (const { word } of acme) await expect(page.getByText(word)).toHaveCount(0);
    });
  }
  await open(page, '/containers');
  await expect(row(page, 'own-boat')).toBeVisible();
  for (const list of ['machines?search=', 'hosts?search=', 'playbooks?search=', 'users?search=', 'jobs?q=']) {
    await open(page, `/${list}listed`);
    await expect(page.getByText('Nothing matches.')).toBeVisible();
  }
  await open(page, '/users');
  await expect(row(page, 'sven')).toBeVisible();
  for (const person of [people.admin, people.regular, people.viewer, people.staff]) {
    await expect(row(page, person.username)).toHaveCount(0);
  }

  await open(page, '/');
  await expect(page.getByRole('heading', { level: 1, name: /sven/ })).toBeVisible();
  for (const { word } of acme) await expect(page.getByText(word)).toHaveCount(0);
  await expect(page.getByRole('link', { name: 'running', exact: false }).first()).toHaveText('1running');
  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog', { name: 'Commands' });
  for (const { word } of acme) {
    await palette.getByRole('combobox').fill(word);
    await expect(palette.getByText('Nothing of that name')).toBeVisible();
    await expect(palette.getByRole('option')).toHaveCount(0);
  }
});

test.describe('staff', () => {
  test.use({ as: 'staff' });

  test('chooses whose things the lists show, and the choice goes along', async ({ page, server, docker }) => {
    const [acme, globex] = [await customer(server, 'admin'), await customer(server, 'stranger')];
    for (const [name, id] of [['acme-boat', acme], ['globex-boat', globex]] as const) {
      await docker('run', '--detach', '--name', name, '--label', `muelle.customer=${id}`, image, 'sleep', '600');
    }
    await open(page, '/containers');
    await expect(row(page, 'globex-boat')).toBeVisible();

    await page.getByLabel('Customer whose things are shown').selectOption({ label: 'Acme' });
    await expect(row(page, 'globex-boat')).toBeHidden();
    await expect(row(page, 'acme-boat')).toBeVisible();
    await expect(page).toHaveURL(new RegExp(`customer=${acme}`));
    await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Machines' }).click();
    await expect(page.getByRole('link', { name: 'Drop the filter Customer: Acme' })).toBeVisible();
    await expect(page.getByLabel('Customer whose things are shown')).toHaveValue(acme);
  });
});

test('what another customer has cannot be opened by its address', async ({ pageOf, server, docker, guard }) => {
  guard.expects(/status of 404/);
  const acme = await belongings(server, docker, 'addressed');
  const page = await pageOf('stranger');

  for (const { address, word } of acme) {
    await test.step(address, async () => {
      const answer = await page.goto(address);
      await ready(page);
      await expect(page.getByText(/There is no such|no page at this address/)).toBeVisible();
      await expect(page.getByText(word)).toHaveCount(0);
      expect.soft(answer!.status(), address).toBe(404);
    });
  }
});

for (const place of [`machines/${nowhere}`, 'containers/never-there', 'images/never-there', `jobs/${nowhere}`]) {
  test(`the page that says so is accessible, at ${place.split('/')[0]}`, async ({ page, guard }) => {
    guard.expects(/status of 404/);

    const answer = await page.goto(`/${place}`);
    await ready(page);
    await expect(page.getByText(/There is no such/)).toBeVisible();
    await expectAccessible(page);
    expect(answer!.status()).toBe(404);
  });
}

test('an address of another customer looks like one that does not exist', async ({ server, docker }) => {
  const acme = await belongings(server, docker, 'alike');
  const token = await bearer(server, 'stranger');
  const refused = async (path: string) => {
    const answer = await fetch(`${server.url}/api/v1/${path}`, { headers: { authorization: `Bearer ${token}` } });
    const { error } = (await answer.json()) as { error: { code: string; message: string } };
    return { status: answer.status, code: error.code, message: error.message };
  };

  for (const { address } of acme) {
    const path = address.replace('/containers/', '/engines/local/containers/').slice(1);
    const elsewhere = path.replace(/[^/]+$/, (last) => (last.length === nowhere.length ? nowhere : 'never-there'));
    expect(await refused(path), address).toEqual(await refused(elsewhere));
    expect(await refused(path), address).toMatchObject({ status: 404 });
  }
});

test('a page that is open hears nothing of another customer', async ({ pageOf, server, docker }) => {
  const [acme, globex] = [await customer(server, 'admin'), await customer(server, 'stranger')];
  const page = await pageOf('stranger');
  await open(page, '/containers');
  await expect(page.getByText('No containers here yet')).toBeVisible();

  await docker('run', '--detach', '--name', 'their-boat', '--label', `muelle.customer=${acme}`, image, 'sleep', '600');
  await docker('run', '--detach', '--name', 'nobodys-boat', image, 'sleep', '600');
  await docker('run', '--detach', '--name', 'own-boat', '--label', `muelle.customer=${globex}`, image, 'sleep', '600');

  await expect(row(page, 'own-boat')).toBeVisible();
  await expect(page.getByText('their-boat')).toHaveCount(0);
  await expect(page.getByText('nobodys-boat')).toHaveCount(0);
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('finds everything that changes containers disabled, with the reason', async ({ page, server, docker }) => {
    const acme = await customer(server, 'admin');
    await docker('run', '--detach', '--name', 'look-only', '--label', `muelle.customer=${acme}`, image, 'sleep', '600');

    await open(page, '/containers');
    await expectRefused(page, ['New container', 'Pull image', 'Prune', 'Stop look-only']);
    await page.getByRole('button', { name: 'More for look-only' }).click();
    await expectRefused(page, ['Restart', 'Pause', 'Kill…', 'Rename…', 'Duplicate', 'Remove…']);
    await page.keyboard.press('Escape');
    await row(page, 'look-only').getByRole('checkbox').check();
    const bulk = page.getByRole('region', { name: 'Actions on the selection' });
    await expectRefused(bulk, ['Start', 'Stop', 'Restart', 'Kill…', 'Remove…']);
    await expectAccessible(page);

    await open(page, '/containers/look-only');
    await expectRefused(page, ['Stop', 'Restart']);
    await page.getByRole('button', { name: 'More', exact: true }).click();
    await expectRefused(page, ['Pause', 'Kill…', 'Rename…', 'Duplicate', 'Remove…']);
    await open(page, '/containers/new');
    await expectRefused(page, ['Run', 'Create']);
    expect(await docker('inspect', '--format', '{{.State.Status}}', 'look-only')).toBe('running');
  });

  test('finds everything that changes images disabled, with the reason', async ({ page }) => {
    await open(page, '/images');
    await expectRefused(page, ['Pull image', 'Prune']);
    await page.getByRole('button', { name: `More for ${image}` }).click();
    await expectRefused(page, ['Run a container', 'Tag…', 'Remove…']);
    await page.keyboard.press('Escape');
    await row(page, image).getByRole('checkbox').check();
    await expectRefused(page.getByRole('region', { name: 'Actions on the selection' }), ['Remove…']);
    await expectAccessible(page);

    await row(page, image).getByRole('link', { name: image, exact: true }).click();
    await expectRefused(page, ['Run a container', 'Tag…', 'Remove…']);
  });

  test('finds the jobs of others beyond cancelling, with the reason', async ({ page, server }) => {
    // Whoever listens there says nothing, so the pull lasts until it is cancelled.
    const silent = createServer();
    await new Promise<void>((listening) => silent.listen(0, '127.0.0.1', listening));
    const wanted = `127.0.0.1:${(silent.address() as AddressInfo).port}/muelle/slow:1`;
    const job = await pull(server, 'regular', wanted);
    try {
      await open(page, '/jobs');
      await page.getByRole('button', { name: '1 job waits or runs' }).click();
      await expectRefused(page, [`Cancel “Pull ${wanted}”`]);
      await open(page, `/jobs/${job}`);
      await expectRefused(page.getByRole('main'), ['Cancel']);
    } finally {
      await server.api('POST', `jobs/${job}/cancel`, undefined, await bearer(server, 'regular'));
      silent.close();
    }
  });
});

test.describe('a regular user of a customer', () => {
  test.use({ as: 'regular' });

  test('pulls images and leaves those that all customers share, with the reason', async ({ page }) => {
    const shared = /Images belong to all customers/;
    await open(page, '/images');
    await expect(page.getByRole('button', { name: 'Pull image' }).first()).not.toHaveAttribute('aria-disabled', 'true');
    await expectRefused(page, ['Prune'], shared);
    await page.getByRole('button', { name: `More for ${image}` }).click();
    await expectRefused(page, ['Tag…', 'Remove…'], shared);
    await page.keyboard.press('Escape');

    await row(page, image).getByRole('link', { name: image, exact: true }).click();
    await expectRefused(page, ['Tag…', 'Remove…'], shared);
    await expect(page.getByRole('link', { name: 'Run a container' })).toHaveAttribute('href', /\/containers\/new\?image=/);
  });
});

/** Keeps one thing of each kind for Acme; `mark` stands in every name. */
async function belongings(server: Server, docker: (...args: string[]) => Promise<string>, mark: string): Promise<Thing[]> {
  const token = await bearer(server, 'admin');
  const keep = async (plural: string, fields: object) =>
    `/${plural}/${(await server.api<{ id: string }>('POST', plural, fields, token)).id}`;
  const user = {
    username: `${mark}-user`,
    email: `${mark}@acme.example`,
    first_name: '',
    last_name: '',
    role: 'viewer',
    password: 'a rope, a bollard, a knot',
  };
  const container = `${mark}-container`;
  const label = `muelle.customer=${await customer(server, 'admin')}`;
  const id = await docker('run', '--detach', '--name', container, '--label', label, image, 'sleep', '600');
  const job = await pull(server, 'regular', image.replace(/:1$/, `:${mark}-job`));
  const state = async () => (await server.api<{ state: string }>('GET', `jobs/${job}`, undefined, token)).state;
  await expect.poll(state).toBe('failed');
  return [
    { address: await keep('machines', { name: `${mark}-machine`, type: 'remote' }), word: `${mark}-machine` },
    { address: await keep('hosts', { name: `${mark}-host` }), word: `${mark}-host` },
    { address: await keep('playbooks', { name: `${mark}-playbook`, content: '- hosts: all' }), word: `${mark}-playbook` },
    { address: await keep('users', user), word: `${mark}-user` },
    { address: `/containers/${container}`, word: `${mark}-container` },
    { address: `/containers/${id}`, word: `${mark}-container` },
    { address: `/jobs/${job}`, word: `${mark}-job` },
  ];
}

/** Makes sure that whoever may see it does; else a story about what is not seen proves nothing. */
async function expectAll(server: Server, things: Thing[]): Promise<void> {
  const token = await bearer(server, 'viewer');
  for (const { address } of things) {
    await server.api('GET', address.replace('/containers/', '/engines/local/containers/').slice(1), undefined, token);
  }
}

/** The id of somebody's customer. */
async function customer(server: Server, who: Name): Promise<string> {
  const { items } = await server.api<{ items: { id: string }[] }>('GET', 'customers', undefined, await bearer(server, who));
  expect(items, 'everybody of a customer sees their own alone').toHaveLength(1);
  return items[0]!.id;
}

async function pull(server: Server, as: Name, wanted: string): Promise<string> {
  const body = { operation: 'pull', data: { image: wanted } };
  const token = await bearer(server, as);
  const { job } = await server.api<{ job: { id: string } }>('POST', 'engines/local/images/operations', body, token);
  return job.id;
}

/** Each of these, a button or a link, cannot be pressed and says why. */
async function expectRefused(within: Page | Locator, names: string[], reason = viewersOnlyRead): Promise<void> {
  for (const name of names) {
    // The reason follows the name for those who listen.
    const spoken = new RegExp(`^${name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(\\. |$)`);
    const control = within.getByRole('button', { name: spoken }).or(within.getByRole('link', { name: spoken })).first();
    await expect.soft(control, name).toHaveAttribute('aria-disabled', 'true', { timeout: 5_000 });
    await expect.soft(control, name).toHaveAttribute('title', reason, { timeout: 5_000 });
  }
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await ready(page);
}

function row(page: Page, name: string): Locator {
  return page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` or \`scripts/services up\` provides it`);
  return value;
}
