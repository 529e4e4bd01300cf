// Credentials: written, used and never read back.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { bearer, expect, expectAccessible, ready, test } from '../support/test.ts';

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await ready(page);
}

/** A private key made by OpenSSH, with its public line. */
function keyPair(): { secret: string; line: string } {
  const folder = mkdtempSync(join(tmpdir(), 'muelle-key-'));
  try {
    const path = join(folder, 'key');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'laptop', '-f', path]);
    return { secret: readFileSync(path, 'utf8'), line: readFileSync(`${path}.pub`, 'utf8').trim() };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('a pasted key shows its public part alone', async ({ page }) => {
  const { secret, line } = keyPair();

  await open(page, '/credentials');
  await page.getByRole('link', { name: 'New credential' }).first().click();
  await page.getByLabel('Name', { exact: true }).fill('pasted');
  await page.getByLabel('User').fill('deploy');
  await page.getByLabel('Private key').fill(secret);
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('heading', { level: 1, name: 'pasted' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Public key' })).toHaveText(line);
  await expect(page.getByText('SHA256:')).toBeVisible();
  await expect(page.getByText('Nothing uses it yet.')).toBeVisible();
  await expectAccessible(page);
  const body = secret.split('\n')[4]!;
  expect(await page.content()).not.toContain(body);
  await page.getByRole('link', { name: 'Edit' }).click();
  await expect(page.getByLabel('Private key')).toHaveValue('');
  expect(await page.content()).not.toContain(body);
});

test('a key is made here, and its public part is there to copy', async ({ page }) => {
  await open(page, '/credentials/new');
  await page.getByLabel('Name', { exact: true }).fill('made here');

  await page.getByRole('button', { name: 'Make a key here' }).click();
  await expect(page.getByText('A new ed25519 key is made when you save.')).toBeVisible();
  await page.getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('heading', { level: 1, name: 'made here' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Public key' })).toHaveText(/^ssh-ed25519 \S+ muelle-made-here$/);
  await expect(page.getByRole('button', { name: 'Copy' })).toBeVisible();
});

test('what is no key is marked at its field, and a password has another one', async ({ page }) => {
  await open(page, '/credentials/new');
  await page.getByLabel('Name', { exact: true }).fill('wrong');

  await page.getByLabel('Private key').fill('ssh-ed25519 AAAA me@here');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByLabel('Private key')).toBeFocused();
  await expect(page.getByLabel('Private key')).toHaveAccessibleDescription(/This is the public part/);
  await expect(page.getByLabel('Passphrase')).toBeVisible();

  await page.getByLabel('Type').selectOption({ label: 'Vault password' });
  await expect(page.getByLabel('Private key')).toHaveCount(0);
  await expect(page.getByLabel('Passphrase')).toBeHidden();
  await expect(page.getByLabel('User')).toBeHidden();
  await expect(page.getByLabel('Password')).toHaveValue('');
  await page.getByLabel('Password').fill('gull-on-the-quay-7');
  await page.getByLabel('Vault label').fill('prod');
  await page.getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('heading', { level: 1, name: 'wrong' })).toBeVisible();
  await page.getByRole('button', { name: 'Test…' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Open it' }).click();
  await expect(page.getByRole('dialog').getByText('The password can be opened.')).toBeVisible();
  await expectAccessible(page);
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('sees credentials and can neither change nor try them', async ({ page, server }) => {
    const fields = { name: 'looked at', type: 'become_password', secret: 'gull-on-the-quay-7' };
    const { id } = await server.api<{ id: string }>('POST', 'credentials', fields, await bearer(server, 'admin'));

    await open(page, `/credentials/${id}`);

    await expect(page.getByRole('heading', { level: 1, name: 'looked at' })).toBeVisible();
    for (const button of [
      page.getByRole('button', { name: /^Test…\. Viewers look and change nothing/ }),
      page.getByRole('link', { name: /^Edit\. Viewers look and change nothing/ }),
    ]) {
      await expect(button).toHaveAttribute('aria-disabled', 'true');
    }
  });
});
