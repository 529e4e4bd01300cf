// Who gets in, how, and until when.

import type { APIResponse } from '@playwright/test';
import type { Server } from '../support/server.ts';
import {
  bearer,
  expect,
  expectAccessible,
  fillSignIn,
  password,
  ready,
  register,
  signIn,
  test,
  type Person,
} from '../support/test.ts';

const wrong = 'User or password is wrong.';
const otherPassword = 'gull-over-the-harbour-7';

test.describe('somebody who is not signed in', () => {
  test.use({ as: null });

  test('comes back to the page that was asked for', async ({ page }) => {
    await page.goto('/machines?sort=-name');
    await expect(page).toHaveURL(/\/sign-in\?next=/);
    await ready(page);
    await expectAccessible(page);
    await fillSignIn(page, 'admin');

    await expect(page).toHaveURL(/\/machines\?sort=-name$/);
    await expect(page.getByRole('heading', { level: 1, name: 'Machines' })).toBeVisible();
  });

  test('is never led to another site', async ({ page, baseURL }) => {
    for (const next of ['https://example.com/', '//example.com', '/\\example.com']) {
      await page.goto(`/sign-in?next=${encodeURIComponent(next)}`);
      await fillSignIn(page, 'admin');
      await expect(page).toHaveURL(`${baseURL}/`);
    }
  });

  test('learns only that user or password is wrong', async ({ page, server, guard }) => {
    guard.expects(/status of 401/);
    const greta = await newPerson(server, 'greta');

    for (const [person, secret] of [
      [greta, 'not the password'],
      [{ ...greta, username: 'nobody' }, 'not the password'],
      [{ ...greta, customer: 'globex' }, password],
    ] as const) {
      await page.goto('/sign-in');
      await fillSignIn(page, person, secret);
      await expect(page.getByRole('alert')).toHaveText(wrong);
      await expect(page.getByLabel('Username')).toHaveValue(person.username);
      await expect(page.getByLabel('Password', { exact: true })).toHaveValue('');
    }
    await ready(page);
    await expectAccessible(page);

    await fillSignIn(page, greta);
    await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
  });

  test('waits longer after each wrong password, and is let in afterwards', async ({ page, server, guard, request }) => {
    guard.expects(/status of 4(01|29)/);
    const tess = await newPerson(server, 'tess');
    const attempt = (secret: string) =>
      request.post('/api/v1/login', { data: { customer: tess.customer, username: tess.username, password: secret } });

    // Five are free; the delay after them doubles with each further one.
    for (let free = 0; free < 5; free++) expect((await attempt('not the password')).status()).toBe(401);
    await expect.poll(async () => (await attempt('not the password')).status()).toBe(401);
    await expect.poll(async () => (await attempt('not the password')).status()).toBe(401);
    const refused = await attempt(password);
    expect(refused.status()).toBe(429);
    expect(secondsToWait(refused)).toBeGreaterThanOrEqual(2);
    await page.goto('/sign-in');
    await fillSignIn(page, tess);
    await expect(page.getByRole('alert')).toContainText(/Try again in \d+ seconds?\./);

    await expect.poll(async () => (await attempt(password)).status(), { timeout: 20_000 }).toBe(200);
  });

  test('signs in and out without JavaScript', async ({ browser, baseURL }) => {
    const nobody = { cookies: [], origins: [] };
    const context = await browser.newContext({ baseURL, javaScriptEnabled: false, storageState: nobody });
    const page = await context.newPage();

    await signIn(page, 'viewer');
    await page.goto('/account');
    await expect(page.getByRole('heading', { name: 'Your account' })).toBeVisible();
    await page.getByRole('row', { name: /this one/ }).getByRole('button', { name: /^End/ }).click();

    await expect(page).toHaveURL(/\/sign-in$/);
    await page.goto('/');
    await expect(page).toHaveURL(/\/sign-in$/);
    await context.close();
  });
});

test('signing out ends the login, and going back shows nothing', async ({ pageOf, server, request }) => {
  const otto = await newPerson(server, 'otto');
  const page = await pageOf(null);
  await signIn(page, otto);
  const [cookie] = await page.context().cookies();

  await ready(page);
  await page.getByRole('button', { name: otto.username }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await expect(page).toHaveURL(/\/sign-in$/);

  await page.goBack();
  await expect(page).toHaveURL(/\/sign-in/);
  // The cookie itself is worth nothing any more, wherever somebody kept a copy.
  const replay = await request.get('/api/v1/status', {
    headers: { cookie: `${cookie!.name}=${cookie!.value}`, 'sec-fetch-site': 'same-origin' },
  });
  expect(replay.status()).toBe(401);
});

test('the cookie of a login cannot be read by scripts or sent by other sites', async ({ page }) => {
  await page.goto('/');

  const [cookie] = (await page.context().cookies()).filter((cookie) => cookie.httpOnly);
  expect(cookie).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/' });
  expect(await page.evaluate(() => document.cookie)).not.toContain(cookie!.value);
});

test('a disabled user is out at once, in the browser and over the API', async ({ pageOf, server, guard }) => {
  guard.expects(/status of 401/);
  const dora = await newPerson(server, 'dora');
  const page = await pageOf(null);
  await signIn(page, dora);
  const token = await bearer(server, dora);
  const admin = await bearer(server, 'admin');

  const { items } = await server.api<{ items: Record<string, unknown>[] }>('GET', 'users?search=dora', undefined, admin);
  await server.api('PUT', `users/${items[0]!.id}`, { ...items[0], enabled: false }, admin);

  await expect(server.api('GET', 'machines', undefined, token)).rejects.toThrow(/401/);
  // The open page hears of it by itself.
  await expect(page).toHaveURL(/\/sign-in/);
});

test('the account page ends another login of the same person', async ({ pageOf, server, guard }) => {
  guard.expects(/status of 401/);
  const lena = await newPerson(server, 'lena');
  const [here, elsewhere] = [await pageOf(null), await pageOf(null)];
  await signIn(here, lena);
  await signIn(elsewhere, lena);

  await here.goto('/account');
  await ready(here);
  await expectAccessible(here);
  const logins = here.getByRole('region', { name: 'Where you are signed in' }).getByRole('row');
  await expect(logins).toHaveCount(3);
  await logins.filter({ hasNot: here.getByText('this one') }).getByRole('button', { name: /^End/ }).click();

  await expect(logins).toHaveCount(2);
  await expect(elsewhere).toHaveURL(/\/sign-in/);

  await signIn(elsewhere, lena);
  await here.reload();
  await ready(here);
  await expect(logins).toHaveCount(3);
  await here.getByRole('button', { name: 'End all others' }).click();
  await expect(logins).toHaveCount(2);
  await expect(elsewhere).toHaveURL(/\/sign-in/);
});

test('a new password signs the person out everywhere else', async ({ pageOf, server, guard }) => {
  guard.expects(/status of 4(01|22)/);
  const paula = await newPerson(server, 'paula');
  const [here, elsewhere] = [await pageOf(null), await pageOf(null)];
  await signIn(here, paula);
  await signIn(elsewhere, paula);
  const change = async (current: string, wanted: string) => {
    await here.getByLabel('Current password').fill(current);
    await here.getByLabel('New password').fill(wanted);
    await here.getByLabel('Password, once more').fill(wanted);
    await here.getByRole('button', { name: 'Change password' }).click();
  };

  await here.goto('/account');
  await ready(here);
  await change('not the password', otherPassword);
  await expect(here.getByText('Is not your current password')).toBeVisible();
  await ready(here);
  await change(password, 'paula');
  await expect(here.getByText('Must have at least 12 characters')).toBeVisible();
  await ready(here);
  await change(password, otherPassword);
  await expect(here.getByText('Your password was changed.')).toBeVisible();

  await elsewhere.goto('/account');
  await expect(elsewhere).toHaveURL(/\/sign-in/);
  await fillSignIn(elsewhere, paula, password);
  await expect(elsewhere.getByRole('alert')).toHaveText(wrong);
  await fillSignIn(elsewhere, paula, otherPassword);
  await expect(elsewhere).toHaveURL(/\/account$/);
});

test('whoever lost their password sets another with a link from the administrator', async ({ page, pageOf, server, guard }) => {
  guard.expects(/status of 40[13]/);
  const rita = await newPerson(server, 'rita');
  const [open, elsewhere] = [await pageOf(null), await pageOf(null)];
  await signIn(open, rita);
  const admin = await bearer(server, 'admin');
  const { items } = await server.api<{ items: { id: string }[] }>('GET', 'users?search=rita', undefined, admin);

  await page.goto(`/users/${items[0]!.id}`);
  await ready(page);
  await page.getByRole('button', { name: 'Reset link…' }).click();
  const dialog = page.getByRole('dialog', { name: 'A new password for rita' });
  await dialog.getByRole('button', { name: 'Make the link' }).click();
  const link = dialog.getByLabel('Reset link');
  await expect(link).toBeFocused();
  await expect(dialog.getByRole('button', { name: 'Copy' })).toBeVisible();
  await expectAccessible(page);
  const address = await link.inputValue();
  expect(address).toContain(`${server.url}/reset?token=`);
  // It is shown once.
  await page.keyboard.press('Escape');
  await expect(dialog).toBeHidden();
  await page.getByRole('button', { name: 'Reset link…' }).click();
  await expect(dialog.getByRole('button', { name: 'Make the link' })).toBeVisible();
  await expect(link).toHaveCount(0);

  const choose = async (secret: string) => {
    await elsewhere.getByLabel('New password').fill(secret);
    await elsewhere.getByLabel('Password, once more').fill(secret);
    await elsewhere.getByRole('button', { name: 'Set a new password' }).click();
  };
  await elsewhere.goto(address);
  await ready(elsewhere);
  await expectAccessible(elsewhere);
  await choose(otherPassword);
  await expect(elsewhere.getByRole('status').filter({ hasText: 'Your new password is set.' })).toBeVisible();
  await fillSignIn(elsewhere, rita, otherPassword);
  await expect(elsewhere.getByRole('navigation', { name: 'Main' })).toBeVisible();
  // Whoever was signed in with the old one is out, and the link has had its day.
  await expect(open).toHaveURL(/\/sign-in/);
  await elsewhere.goto(address);
  await ready(elsewhere);
  await choose(password);
  await expect(elsewhere.getByRole('alert')).toContainText('This link does not work, or no longer.');
});

test('who may not change users finds the reset link disabled, with the reason', async ({ pageOf, server }) => {
  const admin = await bearer(server, 'admin');
  const { items } = await server.api<{ items: { id: string }[] }>('GET', 'users?search=vera', undefined, admin);
  const page = await pageOf('regular');

  await page.goto(`/users/${items[0]!.id}`);
  await ready(page);
  const button = page.getByRole('button', { name: /^Reset link…/ });
  await expect(button).toHaveAttribute('aria-disabled', 'true');
  await expect(button).toHaveAttribute('title', 'Only administrators may do this.');
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('sees what there is and is told why it cannot be changed', async ({ page }) => {
    await page.goto('/machines');
    await ready(page);

    const create = page.getByRole('main').locator('[aria-disabled="true"]').first();
    await expect(create).toHaveAttribute('title', /Viewers look and change nothing/);
  });

  test('is refused by the server too', async ({ server }) => {
    const token = await bearer(server, 'viewer');

    const refused = server.api('POST', 'machines', { name: 'db-1', type: 'remote' }, token);
    await expect(refused).rejects.toThrow(/403.*Viewers look and change nothing/);
  });
});

test('another site can neither read nor do anything with the login', async ({ page, baseURL }) => {
  await page.goto('/');
  const cookies = await page.context().cookies();
  const cookie = cookies.map(({ name, value }) => `${name}=${value}`).join('; ');

  for (const [method, path] of [
    ['POST', '/sign-out'],
    ['POST', '/account'],
    ['GET', '/api/v1/machines'],
    ['GET', '/events?topic=jobs'],
  ] as const) {
    const answer = await fetch(`${baseURL}${path}`, {
      method,
      redirect: 'manual',
      headers: { cookie, origin: 'https://example.com', 'sec-fetch-site': 'cross-site' },
    });
    expect(answer.status, `${method} ${path}`).toBe(403);
  }
  await page.reload();
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
});

test('language and theme are remembered and there from the first byte', async ({ page, baseURL }) => {
  await page.goto('/');
  await ready(page);
  await page.getByRole('button', { name: 'Switch to Spanish' }).click();
  await expect(page.getByRole('navigation', { name: 'Principal' })).toBeVisible();
  await page.getByRole('button', { name: 'Oscuro' }).click();
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');

  const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
  const document = await (await fetch(`${baseURL}/`, { headers: { cookie } })).text();
  expect(document).toMatch(/<html[^>]* lang="es"/);
  expect(document).toMatch(/<html[^>]* data-theme="dark"/);
  await page.reload();
  await ready(page);
  await expect(page.locator('html')).toHaveAttribute('lang', 'es');
  await expect(page.locator('html')).toHaveAttribute('data-theme', 'dark');
  await expectAccessible(page);
});

test('the command palette leads to a page from the keyboard', async ({ page }) => {
  await page.goto('/');
  await ready(page);

  await page.keyboard.press('Control+k');
  const palette = page.getByRole('dialog', { name: 'Commands' });
  await expect(palette.getByRole('combobox')).toBeFocused();
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(palette).toBeHidden();

  await page.keyboard.press('Control+k');
  await palette.getByRole('combobox').fill('play');
  await expect(palette.getByRole('option')).toHaveText(['Playbooks', 'Run a playbook', 'New playbook']);
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/playbooks$/);
  await expect(palette).toBeHidden();

  await page.keyboard.press('Control+k');
  await palette.getByRole('combobox').fill('play');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/playbooks\/new$/);

  await page.keyboard.press('Control+k');
  await palette.getByRole('combobox').fill('spanish');
  await page.keyboard.press('Enter');
  await expect(page.locator('html')).toHaveAttribute('lang', 'es');
});

test('the command palette signs out', async ({ pageOf, server }) => {
  const nora = await newPerson(server, 'nora');
  const page = await pageOf(null);
  await signIn(page, nora);
  await ready(page);

  await page.keyboard.press('Control+k');
  await page.getByRole('combobox').fill('sign out');
  await page.keyboard.press('Enter');
  await expect(page).toHaveURL(/\/sign-in$/);
});

test.describe('on a phone', () => {
  test.use({ viewport: { width: 390, height: 844 }, hasTouch: true });

  test('the menu opens as a drawer and closes behind a choice', async ({ page }) => {
    await page.goto('/');
    await ready(page);
    const menu = page.getByRole('navigation', { name: 'Main' });
    await expect(menu).not.toBeInViewport();

    await page.getByRole('button', { name: 'Open the menu' }).tap();
    await expect(menu).toBeInViewport();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await expect(menu).not.toBeInViewport();

    await page.getByRole('button', { name: 'Open the menu' }).tap();
    await menu.getByRole('link', { name: 'Machines' }).tap();
    await expect(page).toHaveURL(/\/machines$/);
    await expect(menu).not.toBeInViewport();
    // Nothing is wider than the screen.
    const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
    expect(wide).toBeLessThanOrEqual(shown!);
  });
});

test('every page of the frame is accessible and complains about nothing', async ({ page }) => {
  await page.goto('/');
  await ready(page);
  const links = page.getByRole('navigation', { name: 'Main' }).getByRole('link');
  const paths = new Set(await links.evaluateAll((all) => all.map((link) => new URL((link as HTMLAnchorElement).href).pathname)));

  expect(paths.size).toBeGreaterThan(5);
  for (const path of [...paths, '/account']) {
    await test.step(path, async () => {
      await page.goto(path);
      await ready(page);
      await expect(page.getByRole('heading', { level: 1 })).toHaveCount(1);
      await expectAccessible(page);
    });
  }
});

test('an address without a page says so and leads home', async ({ page, guard }) => {
  guard.expects(/status of 404/);

  const answer = await page.goto('/no-such-page');

  expect(answer!.status()).toBe(404);
  await ready(page);
  await expectAccessible(page);
  await page.getByRole('link', { name: 'Go home' }).click();
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
});

/** A person of their own for one story, so that others are not disturbed. */
async function newPerson(server: Server, username: string): Promise<Person> {
  const person: Person = { username, role: 'regular', customer: 'acme' };
  await register(server, person);
  return person;
}

function secondsToWait(answer: APIResponse): number {
  return Number(answer.headers()['retry-after']);
}
