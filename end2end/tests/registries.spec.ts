// Registries: signed in to where they ask for a password, and searched.

import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Page } from '@playwright/test';
import { expect, expectAccessible, ready, test } from '../support/test.ts';

test.use({ as: 'staff' });

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await ready(page);
}

test('a registry is tried when it is saved, and pulls sign in there', async ({ page, docker, registry, guard }) => {
  guard.expects(/status of 422/);
  const image = `${registry.private}/muelle/busybox:1`;
  await open(page, '/images');
  await page.getByRole('button', { name: 'Pull image' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Image').fill(image);
  await dialog.getByRole('button', { name: 'Pull', exact: true }).click();
  await expect(dialog.getByRole('alert')).toContainText('wants a login. Keep its user and password under Registries.');

  await open(page, '/registries');
  await expect(page.getByText('There is no registry yet.')).toBeVisible();
  await page.getByRole('link', { name: 'New registry' }).first().click();
  await page.getByLabel('Address').fill(`http://${registry.private}/`);
  await page.getByLabel('User').fill(registry.username);
  await page.getByLabel('Password or token').fill('guessed');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByLabel('Password or token')).toBeFocused();
  await expect(page.getByLabel('Password or token')).toHaveAccessibleDescription(/does not let muelle in: .*401 Unauthorized/);
  await expectAccessible(page);

  await page.getByLabel('Password or token').fill(registry.password);
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1, name: registry.private })).toBeVisible();
  await expectAccessible(page);
  expect(await page.content()).not.toContain(registry.password);

  await open(page, '/images');
  await page.getByRole('button', { name: 'Pull image' }).first().click();
  await dialog.getByLabel('Image').fill(image);
  await dialog.getByRole('button', { name: 'Pull', exact: true }).click();
  await expect(dialog.getByText('Done', { exact: true })).toBeVisible({ timeout: 30_000 });
  expect(await docker('images', '--quiet', image)).not.toBe('');
  // The same image has another name for the other stories of this engine.
  await docker('rmi', image);
});

/** A registry that is searched, which Debian's cannot be: what it holds comes from that one all the same. */
async function searchable(holder: string, name: string): Promise<Server> {
  const found = { name, description: 'A small box of tools', star_count: 7, is_official: true, is_automated: false };
  const server = createServer((asked, answer) => {
    if (asked.url === '/v1/_ping') return answer.end('true');
    if (asked.url?.startsWith('/v1/search')) {
      answer.setHeader('content-type', 'application/json');
      return answer.end(JSON.stringify({ query: name, num_results: 1, results: [found] }));
    }
    const [host, port] = holder.split(':');
    const passed = request({ host, port, method: asked.method, path: asked.url, headers: asked.headers }, (given) => {
      answer.writeHead(given.statusCode!, given.headers);
      given.pipe(answer);
    });
    passed.on('error', () => answer.destroy());
    return asked.pipe(passed);
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return server;
}

test('a registry is searched, and what it has is pulled from it', async ({ page, docker, registry }) => {
  const server = await searchable(registry.open, 'muelle/busybox');
  try {
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    await open(page, '/images');
    await page.getByRole('button', { name: 'Search a registry' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('searchbox').fill(`${address}/busybox`);
    await dialog.getByRole('button', { name: 'Search' }).click();

    const found = dialog.getByRole('listitem');
    await expect(found).toHaveCount(1);
    await expect(found).toContainText(`${address}/muelle/busybox`);
    await expect(found).toContainText('A small box of tools');
    await expect(found.getByText('Official')).toBeVisible();
    await expectAccessible(page);
    await found.getByRole('button').click();
    await expect(dialog.getByLabel('Image')).toHaveValue(`${address}/muelle/busybox`);
    await dialog.getByLabel('Image').fill(`${address}/muelle/busybox:1`);
    await dialog.getByRole('button', { name: 'Pull', exact: true }).click();
    await expect(dialog.getByText('Done', { exact: true })).toBeVisible({ timeout: 30_000 });
    expect(await docker('images', '--quiet', `${address}/muelle/busybox:1`)).not.toBe('');
    await docker('rmi', `${address}/muelle/busybox:1`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
