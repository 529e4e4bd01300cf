// Images as people meet them: pulled with progress, tagged, looked into, removed, pruned.

import type { Page } from '@playwright/test';
import { expect, expectAccessible, ready, test } from '../support/test.ts';

const image = required('MUELLE_TEST_IMAGE');
const big = required('MUELLE_TEST_BIG_IMAGE');

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await ready(page);
}

const row = (page: Page, name: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });

test.use({ as: 'staff' });

test('an image is pulled with progress per layer, and removed by its name', async ({ page }) => {
  await open(page, '/images');
  await page.getByRole('button', { name: 'Pull image' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Image').fill(big);
  await dialog.getByRole('button', { name: 'Pull', exact: true }).click();

  await expect(dialog.getByText('Done', { exact: true })).toBeVisible({ timeout: 30_000 });
  expect(await dialog.getByRole('listitem').count()).toBeGreaterThan(1);
  await dialog.getByRole('button', { name: 'Close' }).first().click();
  await expect(row(page, big).getByText('Unused')).toBeVisible();

  await page.getByRole('button', { name: `More for ${big}` }).click();
  await page.getByRole('button', { name: 'Remove…' }).click();
  await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
  await expect(row(page, big)).toBeHidden();
});

test('a pull that cannot work says so in the registry\'s words', async ({ page }) => {
  await open(page, '/images');
  await page.getByRole('button', { name: 'Pull image' }).first().click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Image').fill(image.replace(/:1$/, ':never-there'));
  await dialog.getByRole('button', { name: 'Pull', exact: true }).click();

  await expect(dialog.getByText('Failed', { exact: true })).toBeVisible({ timeout: 30_000 });
  await expect(dialog.getByRole('alert')).not.toBeEmpty();
});

test('a part of the program that does not come is told, and asked for again', async ({ page, guard }) => {
  guard.expects(/ERR_FAILED|Failed to fetch/);
  await page.route('**/pkg/split_*.wasm', (route) => route.abort());
  await open(page, '/');

  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Images' }).click();
  await expect(page.getByRole('alert')).toContainText('Muelle does not answer');
  await page.unroute('**/pkg/split_*.wasm');
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(page).toHaveURL(/\/images$/);
  await expect(page.getByRole('heading', { level: 1, name: 'Images' })).toBeVisible();
});

test('a page stands as it was written until its part has come, and listens then', async ({ page, guard }) => {
  guard.expects(/ERR_FAILED|Failed to fetch/);
  let refused = 0;
  await page.route('**/pkg/split_*.wasm', (route) => (refused++ < 3 ? route.abort() : route.continue()));
  await page.goto('/images');
  await expect(page.getByRole('heading', { level: 1, name: 'Images' })).toBeVisible();
  await expect(page.locator('html')).not.toHaveAttribute('data-hydrated');

  await ready(page);
  expect(refused).toBeGreaterThan(3);
  await page.getByRole('button', { name: `More for ${image}` }).click();
  await expect(page.getByRole('button', { name: 'Tag…' })).toBeVisible();
});

test('an image gets a further name, shows its layers, and starts a container', async ({ page, docker }) => {
  await open(page, '/images');
  await page.getByRole('button', { name: `More for ${image}` }).click();
  await page.getByRole('button', { name: 'Tag…' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByLabel('Repository').fill('story/renamed');
  await dialog.getByLabel('Tag').fill('9');
  await dialog.getByRole('button', { name: 'Tag', exact: true }).click();
  await expect(page.getByText('Now also called story/renamed:9')).toBeVisible();

  await page.getByRole('row').filter({ hasText: 'story/renamed:9' }).getByRole('link').first().click();
  await expect(page.getByText(image).first()).toBeVisible();
  await expect(page.getByRole('table')).toBeVisible();
  await page.getByRole('link', { name: 'Run a container' }).click();
  await expect(page.getByLabel('Image', { exact: true })).toHaveValue(/.+/);
  await docker('rmi', 'story/renamed:9');
});

test('dangling images are pruned and the freed bytes told', async ({ page, docker }) => {
  const made = await docker('create', image, 'true');
  await docker('commit', made);
  await docker('rm', made);
  await open(page, '/images?use=dangling');
  await expect(page.getByRole('table').getByText('Dangling', { exact: true })).toBeVisible();

  await page.getByRole('button', { name: 'Prune' }).click();
  const dialog = page.getByRole('dialog');
  await dialog.getByRole('button', { name: 'Remove 1' }).click();
  await expect(dialog.getByText(/Removed 1, .* freed/)).toBeVisible();
});

test('the list is sorted, its columns are chosen, and its address keeps the order', async ({ page, docker }) => {
  await docker('tag', image, 'story/second-name:1');
  try {
    await open(page, '/images');
    await page.getByRole('link', { name: 'Size', exact: true }).click();
    await expect(page).toHaveURL(/sort=size$/);
    await page.reload();
    await ready(page);
    await expect(page.getByRole('columnheader', { name: 'Size' })).toHaveAttribute('aria-sort', 'ascending');

    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByLabel('Names', { exact: true }).check();
    await page.keyboard.press('Escape');
    await expect(page.getByRole('cell', { name: /story\/second-name:1/ }).last()).toBeVisible();
    await expectAccessible(page);

    await page.getByRole('button', { name: 'Export', exact: true }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'CSV' }).click()]);
    expect(download.suggestedFilename()).toBe('images.csv');
  } finally {
    await docker('rmi', 'story/second-name:1');
  }
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme });

    test('the pages of images are accessible', async ({ page }) => {
      await open(page, '/images');
      await expectAccessible(page);
      await row(page, image).getByRole('link').first().click();
      await expect(page.getByRole('table')).toBeVisible();
      await expectAccessible(page);
      await page.getByRole('link', { name: 'Inspect' }).click();
      await expectAccessible(page);
    });
  });
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` or \`scripts/services up\` provides it`);
  return value;
}
