import { expect, expectAccessible, fillSignIn, password, ready, register, test } from '../support/test.ts';

test.use({ firstStart: true });

const first = { username: 'ada', role: 'admin' } as const;

test('a server that has just started says that it is well', async ({ request }) => {
  const answer = await request.get('/api/heartbeat');

  expect(answer.status()).toBe(200);
  expect(await answer.json()).toEqual({ ok: true });
});

test('everything that a page names is there', async ({ request }) => {
  const page = await (await request.get('/')).text();
  const names = [...page.matchAll(/(?:href|src)="(\/[^"]+\.(?:css|js|wasm|svg|ico|woff2))"/g)].map((found) => found[1]!);

  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    expect((await request.get(name)).status(), name).toBe(200);
  }
});

test('nobody can sign in before somebody is registered', async ({ page, guard }) => {
  guard.expects(/status of 401/);

  await page.goto('/sign-in');
  await fillSignIn(page, { username: 'admin', role: 'admin' }, 'admin');

  await expect(page.getByRole('alert')).toHaveText('User or password is wrong.');
});

test('the one-time link creates the first administrator, once', async ({ page, pageOf, server, guard }) => {
  guard.expects(/status of (403|422)/);
  const link = server.firstAdminLink();
  const other = await pageOf(null);

  await page.goto(link);
  await ready(page);
  await expectAccessible(page);
  await page.getByLabel('Username').fill(first.username);
  await page.getByLabel('Password', { exact: true }).fill('too short');
  await page.getByLabel('Password, once more').fill('too short');
  await page.getByRole('button', { name: 'Create and sign in' }).click();
  await expect(page.getByText('Must have at least 12 characters')).toBeVisible();

  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByLabel('Password, once more').fill(password);
  await page.getByRole('button', { name: 'Create and sign in' }).click();
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Customers', exact: true })).toBeVisible();

  await other.goto(link);
  await other.getByLabel('Username').fill('eve');
  await other.getByLabel('Password', { exact: true }).fill(password);
  await other.getByLabel('Password, once more').fill(password);
  await other.getByRole('button', { name: 'Create and sign in' }).click();
  await expect(other.getByRole('alert')).toContainText('This link does not work, or no longer.');
});

test('a server that was killed comes back and remembers', async ({ server, request, page }) => {
  // Not the one of the story before: that may not have come so far.
  const known = { username: 'grace', role: 'admin' } as const;
  await register(server, known);
  await server.kill();
  await server.resume();

  expect((await request.get('/api/heartbeat')).status()).toBe(200);
  await page.goto('/sign-in');
  await fillSignIn(page, known);
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
});
