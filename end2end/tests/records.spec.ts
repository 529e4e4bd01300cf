// Keeping records: every kind through the same pages.

import type { Page } from '@playwright/test';
import { bearer, expect, expectAccessible, people, ready, test, type Name } from '../support/test.ts';
import type { Server } from '../support/server.ts';

/** A record as the API gives it. */
interface Kept {
  id: string;
  revision: number;
}

async function keep(server: Server, as: Name, plural: string, fields: object): Promise<Kept> {
  return server.api<Kept>('POST', plural, fields, await bearer(server, as));
}

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await ready(page);
}

/** The row of a list whose name is `name`. */
function row(page: Page, name: string) {
  return page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
}

async function choose(page: Page, name: string, item: string): Promise<void> {
  await row(page, name).getByRole('button', { name: `More ${name}` }).click();
  await page.getByRole('button', { name: item }).click();
}

/** Writes into the form, saves, and waits until the details stand there. */
async function save(page: Page, fields: Record<string, string>): Promise<void> {
  for (const [label, value] of Object.entries(fields)) {
    const input = page.getByLabel(label, { exact: false }).first();
    if ((await input.evaluate((node) => node.tagName)) === 'SELECT') await input.selectOption({ label: value });
    else await input.fill(value);
  }
  await page.getByRole('button', { name: 'Save' }).click();
}

const kinds = [
  {
    plural: 'machines',
    one: 'machine',
    title: 'Name',
    first: { Name: 'crane-1', 'IPv4 address': '10.1.0.5', Tags: 'dock, crane' },
    shown: ['10.1.0.5', 'dock', 'crane'],
    another: (name: string) => ({ name, type: 'remote' }),
    as: 'admin',
  },
  {
    plural: 'hosts',
    one: 'host',
    title: 'Name',
    first: { Name: 'crane-2', Addresses: '10.1.0.6\nbox.example', Variables: 'port: 80' },
    shown: ['10.1.0.6', 'box.example', 'port: 80'],
    another: (name: string) => ({ name }),
    as: 'admin',
  },
  {
    plural: 'playbooks',
    one: 'playbook',
    title: 'Name',
    first: { Name: 'crane-3', Content: '- hosts: all\n  tasks: []' },
    shown: ['hosts: all'],
    another: (name: string) => ({ name, content: '- hosts: all\n  tasks: []\n' }),
    as: 'admin',
  },
  {
    plural: 'users',
    one: 'user',
    title: 'User name',
    first: { 'User name': 'crane-4', Email: 'crane@acme.example', Password: 'gull-on-the-quay-7' },
    shown: ['crane@acme.example', 'Viewer'],
    another: (username: string) => ({ username, role: 'viewer', password: 'gull-on-the-quay-7' }),
    as: 'admin',
  },
  {
    plural: 'customers',
    one: 'customer',
    title: 'Name',
    first: { Name: 'crane-5', Domain: 'crane5', Notes: 'by the water' },
    shown: ['crane5', 'by the water'],
    another: (name: string) => ({ name, domain: name }),
    as: 'staff',
  },
] as const;

for (const kind of kinds) {
  test.describe(kind.plural, () => {
    test.use({ as: kind.as });

    test('is created, edited, disabled, removed and restored', async ({ page }) => {
      const name = Object.values(kind.first)[0]!;

      await open(page, `/${kind.plural}`);
      await page.getByRole('link', { name: `New ${kind.one}` }).first().click();
      await expect(page.getByRole('heading', { level: 1, name: `New ${kind.one}` })).toBeVisible();
      await expectAccessible(page);
      await save(page, kind.first);
      await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
      for (const text of kind.shown) await expect(page.getByRole('main').getByText(text).first()).toBeVisible();
      await expectAccessible(page);

      await page.getByRole('link', { name: 'Edit', exact: true }).click();
      await expect(page.getByRole('heading', { level: 1, name: `Edit ${name}` })).toBeVisible();
      await save(page, { [kind.title]: `${name}b` });
      await expect(page.getByRole('heading', { level: 1, name: `${name}b` })).toBeVisible();
      await page.getByRole('link', { name: 'History' }).click();
      await expect(page).toHaveURL(/tab=history/);
      await expect(page.locator('del', { hasText: name })).toBeVisible();
      await expect(page.locator('ins', { hasText: `${name}b` })).toBeVisible();
      await expectAccessible(page);

      await open(page, `/${kind.plural}`);
      await choose(page, `${name}b`, 'Disable');
      await expect(row(page, `${name}b`).getByText('Disabled')).toBeVisible();
      await choose(page, `${name}b`, 'Remove…');
      const question = page.getByRole('dialog', { name: `Remove ${name}b?` });
      await expect(question.getByText(`${name}b`).last()).toBeVisible();
      await question.getByRole('button', { name: 'Remove' }).click();
      await expect(row(page, `${name}b`)).toHaveCount(0);

      await open(page, `/${kind.plural}?deleted=true`);
      await page.getByRole('button', { name: `Restore ${name}b` }).click();
      await expect(row(page, `${name}b`)).toHaveCount(0);
      await open(page, `/${kind.plural}`);
      await expect(row(page, `${name}b`)).toBeVisible();
    });

    test('is searched, sorted and paged, with the columns that were chosen', async ({ page, server }) => {
      const names = Array.from({ length: 26 }, (_, number) => `abaft-${kind.one}-${number + 10}`);
      for (const name of names) await keep(server, kind.as, kind.plural, kind.another(name));

      await open(page, `/${kind.plural}?per_page=25`);
      await page.getByRole('searchbox').fill(`abaft-${kind.one}`);
      await expect(page.getByText(/^26 .*found/)).toBeVisible();
      await expect(page.getByRole('row')).toHaveCount(26);
      await page.getByRole('link', { name: 'Next page' }).click();
      await expect(row(page, names.at(-1)!)).toBeVisible();
      await expect(page.getByRole('row')).toHaveCount(2);

      await page.getByRole('link', { name: kind.title, exact: true }).click();
      await expect(page.getByRole('columnheader', { name: kind.title })).toHaveAttribute('aria-sort', 'descending');
      await expect(page.getByRole('row').nth(1)).toContainText(names.at(-1)!);

      await page.getByRole('button', { name: 'Columns' }).click();
      await page.getByLabel('Changed').uncheck();
      await page.keyboard.press('Escape');
      await expect(page.getByRole('columnheader', { name: 'Changed' })).toHaveCount(0);
      await page.reload();
      await ready(page);
      await expect(page.getByRole('columnheader', { name: kind.title })).toBeVisible();
      await expect(page.getByRole('columnheader', { name: 'Changed' })).toHaveCount(0);
    });
  });
}

test('what was removed by mistake comes back at once', async ({ page, server }) => {
  await keep(server, 'admin', 'machines', { name: 'mistake', type: 'remote' });

  await open(page, '/machines?search=mistake');
  await choose(page, 'mistake', 'Remove…');
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByRole('button', { name: 'Undo' }).click();

  await expect(row(page, 'mistake')).toBeVisible();
});

test('a list is searched, filtered, sorted and paged, and its address says how', async ({ page, server }) => {
  for (let number = 10; number < 40; number++) {
    await keep(server, 'admin', 'machines', {
      name: `berth-${number}`,
      type: number % 2 ? 'local' : 'remote',
      ipv4: `10.2.0.${number}`,
    });
  }

  await open(page, '/machines?per_page=25');
  await page.getByRole('searchbox').fill('berth');
  await expect(page).toHaveURL(/search=berth/);
  await expect(page.getByText('30 machines found')).toBeVisible();
  await expect(page.getByRole('row')).toHaveCount(26);

  await page.getByRole('link', { name: 'Next page' }).click();
  await expect(page).toHaveURL(/page=2/);
  await expect(page.getByText('26–30 of 30')).toBeVisible();
  await expect(row(page, 'berth-39')).toBeVisible();

  await page.getByRole('link', { name: 'Name', exact: true }).click();
  await expect(page).toHaveURL(/sort=-name/);
  await expect(page.getByRole('columnheader', { name: 'Name' })).toHaveAttribute('aria-sort', 'descending');
  await expect(page.getByRole('row').nth(1)).toContainText('berth-39');

  await page.getByRole('button', { name: 'Filter' }).click();
  await page.getByLabel('Place').selectOption({ label: 'Local' });
  await expect(page.getByText('15 machines found')).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('link', { name: 'Drop the filter Place: Local' })).toBeVisible();
  const address = page.url();

  await page.getByRole('link', { name: 'Drop the filter Place: Local' }).click();
  await expect(page.getByText('30 machines found')).toBeVisible();

  await open(page, address);
  await expect(page.getByText('15 machines found')).toBeVisible();
  await expect(page.getByRole('row').nth(1)).toContainText('berth-39');

  await page.getByRole('searchbox').fill('nothing of that name');
  await expect(page.getByText('Nothing matches.')).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('link', { name: 'Clear the filters' }).click();
  await expect(row(page, 'berth-39')).toBeVisible();
});

test('columns are chosen and stay so', async ({ page, server }) => {
  await keep(server, 'admin', 'machines', { name: 'chosen', type: 'remote', mac: '00:1a:2b:3c:4d:5e', tags: ['x'] });

  await open(page, '/machines?search=chosen');
  await expect(page.getByRole('columnheader', { name: 'MAC address' })).toHaveCount(0);
  await page.getByRole('button', { name: 'Columns' }).click();
  await page.getByLabel('MAC address').check();
  await page.getByLabel('Tags').uncheck();
  await page.keyboard.press('Escape');

  await expect(row(page, 'chosen').getByText('00:1a:2b:3c:4d:5e')).toBeVisible();
  await page.reload();
  await ready(page);
  await expect(page.getByRole('columnheader', { name: 'MAC address' })).toBeVisible();
  await expect(page.getByRole('columnheader', { name: 'Tags' })).toHaveCount(0);
});

test('several are removed together, after their names were read', async ({ page, server }) => {
  for (const name of ['pair-1', 'pair-2']) await keep(server, 'admin', 'hosts', { name });

  await open(page, '/hosts?search=pair');
  await page.getByLabel('Select pair-1').check();
  await page.getByLabel('Select pair-2').check();
  const bar = page.getByRole('region', { name: 'Selection' });
  await expect(bar.getByText('2 selected')).toBeVisible();
  await expect(bar.getByText('pair-1, pair-2')).toBeVisible();
  await bar.getByRole('button', { name: 'Remove' }).click();
  const question = page.getByRole('dialog', { name: 'Remove 2 hosts?' });
  await expect(question.getByRole('listitem')).toHaveText(['pair-1', 'pair-2']);
  await expectAccessible(page);
  await question.getByRole('button', { name: 'Remove' }).click();

  await expect(page.getByText('2 were removed.')).toBeVisible();
  await expect(page.getByText('Nothing matches.')).toBeVisible();
});

test('a form names what is wrong, and fills in what follows', async ({ page }) => {
  await open(page, '/machines/new');

  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByLabel('Name', { exact: true })).toBeFocused();
  await expect(page.getByLabel('Name', { exact: true })).toHaveAccessibleDescription(/Must have a value/);

  await page.getByLabel('IPv4 address').fill('192.168.7.20');
  await page.getByLabel('Netmask').fill('255.255.255.0');
  await expect(page.getByLabel('Network')).toHaveValue('192.168.7.0');
  await expect(page.getByLabel('Broadcast')).toHaveValue('192.168.7.255');

  await page.getByLabel('Gateway').fill('10.0.0.1');
  await expect(page.getByLabel('Gateway')).toHaveAccessibleDescription(/outside of the network 192\.168\.7\.0\/24/);
  await page.getByLabel('MAC address').fill('nonsense');
  await page.getByLabel('SSH user').focus();
  await expect(page.getByLabel('MAC address')).toHaveAccessibleDescription(/Must be a MAC address/);
  await expectAccessible(page);

  await page.getByLabel('Gateway').fill('192.168.7.1');
  await page.getByLabel('MAC address').fill('00-1A-2B-3C-4D-99');
  await page.getByLabel('Name', { exact: true }).fill('follows');
  await page.getByLabel('Name', { exact: true }).press('Enter');
  await expect(page.getByRole('heading', { level: 1, name: 'follows' })).toBeVisible();
  await expect(page.getByText('00:1a:2b:3c:4d:99')).toBeVisible();
  await expect(page.getByText('192.168.7.255')).toBeVisible();
});

test('what only the server knows stands at its field too', async ({ page, server, guard }) => {
  guard.expects(/422/);
  await keep(server, 'admin', 'machines', { name: 'taken', type: 'remote' });

  await open(page, '/machines/new');
  await save(page, { Name: 'taken' });

  await expect(page.getByLabel('Name', { exact: true })).toBeFocused();
  await expect(page.getByLabel('Name', { exact: true })).toHaveAttribute('aria-invalid', 'true');
  await page.getByLabel('Name', { exact: true }).fill('free');
  await expect(page.getByLabel('Name', { exact: true })).not.toHaveAttribute('aria-invalid');
});

test('whoever was slower reloads and keeps what they typed', async ({ page, server, guard }) => {
  guard.expects(/409/);
  const kept = await keep(server, 'admin', 'machines', { name: 'shared', type: 'remote' });

  await open(page, `/machines/${kept.id}/edit`);
  await page.getByLabel('Description').fill('mine');
  const token = await bearer(server, 'admin');
  const theirs = { name: 'shared', type: 'local', revision: kept.revision };
  await server.api('PUT', `machines/${kept.id}`, theirs, token);
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Reload' }).click();

  await expect(page.getByLabel('Description')).toHaveValue('mine');
  await expect(page.getByLabel('Place')).toHaveValue('local');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'shared' })).toBeVisible();
  await expect(page.getByText('mine')).toBeVisible();
});

test('what was typed is not lost by a press on a link', async ({ page }) => {
  await open(page, '/playbooks/new');
  await page.getByLabel('Name', { exact: true }).fill('half-written');

  await page.getByRole('link', { name: 'Hosts' }).click();
  await page.getByRole('dialog', { name: 'Leave without saving?' }).getByRole('button', { name: 'Stay' }).click();
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('half-written');

  await page.getByRole('link', { name: 'Hosts' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Leave' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Hosts' })).toBeVisible();
});

test('what was typed is not lost by a step back or forward', async ({ page }) => {
  await open(page, '/hosts');
  await page.getByRole('link', { name: 'Playbooks' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Playbooks' })).toBeVisible();
  await page.getByRole('link', { name: /^New/ }).first().click();
  await expect(page).toHaveURL(/\/playbooks\/new$/);
  await page.getByLabel('Name', { exact: true }).fill('half-written');
  const question = page.getByRole('dialog', { name: 'Leave without saving?' });

  // Twice, because staying must leave the way back as it was.
  for (let times = 0; times < 2; times++) {
    await page.goBack();
    await question.getByRole('button', { name: 'Stay' }).click();
    await expect(question).toBeHidden();
    await expect(page).toHaveURL(/\/playbooks\/new$/);
    await expect(page.getByLabel('Name', { exact: true })).toHaveValue('half-written');
  }
  await page.goBack();
  await question.getByRole('button', { name: 'Leave' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Playbooks' })).toBeVisible();
  await expect(page).toHaveURL(/\/playbooks$/);

  await page.goBack();
  await expect(page.getByRole('heading', { level: 1, name: 'Hosts' })).toBeVisible();
  await page.goForward();
  await page.goForward();
  await page.getByLabel('Name', { exact: true }).fill('once more');
  await page.getByRole('link', { name: 'Cancel' }).click();
  await question.getByRole('button', { name: 'Leave' }).click();
  await expect(page).toHaveURL(/\/playbooks$/);
  await page.goBack();
  await page.getByLabel('Name', { exact: true }).fill('and again');
  await page.goForward();
  await question.getByRole('button', { name: 'Stay' }).click();
  await expect(page).toHaveURL(/\/playbooks\/new$/);
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('and again');
  await page.goForward().catch(() => {});
  await expect(page.getByLabel('Name', { exact: true })).toHaveValue('and again');
});

test('a page follows its record while a menu of it is open', async ({ page, server }) => {
  const kept = await keep(server, 'admin', 'machines', { name: 'before', type: 'remote' });
  await open(page, `/machines/${kept.id}`);
  await page.getByRole('button', { name: 'More' }).click();
  await expect(page.getByRole('button', { name: 'Disable' })).toBeVisible();

  const token = await bearer(server, 'admin');
  const theirs = { name: 'after', type: 'remote', description: 'theirs', revision: kept.revision, enabled: false };
  await server.api('PUT', `machines/${kept.id}`, theirs, token);

  await expect(page.getByRole('heading', { level: 1, name: 'after' })).toBeVisible();
  await expect(page.getByText('theirs')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Enable' })).toBeVisible();
  await page.getByRole('button', { name: 'Remove' }).click();
  const question = page.getByRole('dialog', { name: /after/ });
  await server.api('DELETE', `machines/${kept.id}`, undefined, token);
  await expect(page.getByRole('button', { name: 'Restore' })).toBeVisible();
  await expect(question).toBeVisible();
});

test('a host picks its machines by name and by keyboard', async ({ page, server }) => {
  for (const name of ['pick-a', 'pick-b']) await keep(server, 'admin', 'machines', { name, type: 'remote' });

  await open(page, '/hosts/new');
  await page.getByLabel('Name', { exact: true }).fill('group');
  const picker = page.getByRole('combobox', { name: 'Machines' });
  await picker.pressSequentially('pick-');
  await expect(page.getByRole('option', { name: 'pick-b' })).toBeVisible();
  await picker.press('ArrowDown');
  await picker.press('Enter');
  await expect(page.getByRole('button', { name: 'Take out pick-b' })).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Save' }).click();

  await page.getByRole('main').getByRole('link', { name: 'pick-b' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'pick-b' })).toBeVisible();
});

test('a list of choices opens by typing and never offers what does not fit', async ({ page, server }) => {
  // Named so that they stand first in a list that shows twenty.
  for (const name of ['0-swift-a', '0-swift-b', '0-slow-c']) await keep(server, 'admin', 'machines', { name, type: 'remote' });
  await open(page, '/hosts/new');
  const picker = page.getByRole('combobox', { name: 'Machines' });
  const list = page.getByRole('listbox', { name: 'Machines' });

  await page.getByLabel('Name', { exact: true }).press('Tab');
  await expect(picker).toBeFocused();
  await expect(list).toBeHidden();
  await picker.press('ArrowDown');
  await expect(list.getByRole('option', { name: '0-slow-c' })).toBeVisible();

  // From here on the server's answer never comes.
  await page.route('**/api/fn/**', () => {});
  await picker.pressSequentially('0-swift');
  await expect(list.getByRole('option')).toHaveText(['0-swift-a', '0-swift-b']);
  await picker.press('Enter');
  await expect(page.getByRole('button', { name: 'Take out 0-swift-a' })).toBeVisible();
});

test('a change made elsewhere shows without a reload', async ({ page, server }) => {
  await open(page, '/machines?search=elsewhere');
  await expect(page.getByText('Nothing matches.')).toBeVisible();

  await keep(server, 'admin', 'machines', { name: 'elsewhere', type: 'remote' });

  await expect(row(page, 'elsewhere')).toBeVisible({ timeout: 2_000 });
});

test('machines are imported from a file, after a look at what it does', async ({ page, server }) => {
  await keep(server, 'admin', 'machines', { name: 'import-old', type: 'remote' });

  await open(page, '/machines/import');
  await page.getByLabel('CSV file').setInputFiles({
    name: 'machines.csv',
    mimeType: 'text/csv',
    buffer: Buffer.from('name,type,ipv4\nimport-new,remote,10.9.0.1\nimport-old,local,10.9.0.2\nimport-bad,remote,300.1.1.1\n'),
  });
  await page.getByRole('button', { name: 'Preview' }).click();
  const preview = page.getByRole('region', { name: 'Preview' });
  await expect(preview.getByRole('row', { name: /import-new/ })).toContainText('Created');
  await expect(preview.getByRole('row', { name: /import-old/ })).toContainText('Changed');
  await expect(preview.getByRole('row', { name: /import-bad/ })).toContainText('Must be an IPv4 address');
  await expect(page.getByRole('button', { name: /^Import/ })).toHaveAttribute('aria-disabled', 'true');
  await expectAccessible(page);

  const text = page.getByLabel('CSV', { exact: true });
  await text.fill((await text.inputValue()).replace('300.1.1.1', '10.9.0.3'));
  await page.getByRole('button', { name: 'Preview' }).click();
  await page.getByRole('button', { name: 'Import', exact: true }).click();
  await expect(page.getByText('2 created, 1 changed.')).toBeVisible();
  await open(page, '/machines?search=import-');
  await expect(page.getByRole('row')).toHaveCount(4);
});

test('a list is exported as it is filtered', async ({ page, server }) => {
  await keep(server, 'admin', 'machines', { name: 'export-me', type: 'remote' });

  await open(page, '/machines?search=export-me');
  await page.getByRole('button', { name: 'Export', exact: true }).click();
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'CSV' }).click(),
  ]);
  const file = await download.createReadStream();
  let text = '';
  for await (const part of file) text += String(part);

  expect(text.split('\n')[0]).toContain('name');
  expect(text).toContain('export-me');
  expect(text.trim().split('\n')).toHaveLength(2);
});

test('there is no page for a kind that is not kept', async ({ page, guard }) => {
  guard.expects(/404/);

  const answer = await page.goto('/submarines');

  expect(answer?.status()).toBe(404);
  await expect(page.getByRole('heading', { name: 'Not here' })).toBeVisible();
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('looks at everything and is told why nothing can be changed', async ({ page, server }) => {
    const kept = await keep(server, 'admin', 'machines', { name: 'look-only', type: 'remote' });

    await open(page, '/machines?search=look-only');
    const create = page.getByRole('link', { name: /New machine/ });
    await expect(create).toHaveAttribute('aria-disabled', 'true');
    await expect(create).toHaveAttribute('title', /Viewers look and change nothing/);
    await row(page, 'look-only').getByRole('button', { name: 'More look-only' }).click();
    await expect(page.getByRole('button', { name: /Remove….*Viewers look/ })).toHaveAttribute('aria-disabled', 'true');
    await page.keyboard.press('Escape');
    await expectAccessible(page);

    await open(page, `/machines/${kept.id}`);
    await expect(page.getByRole('link', { name: /^Edit\. Viewers/ })).toHaveAttribute('aria-disabled', 'true');
    await open(page, `/machines/${kept.id}/edit`);
    await expect(page.getByRole('button', { name: /^Save\. Viewers/ })).toHaveAttribute('aria-disabled', 'true');
  });
});

test('the login in use is marked, and ending it is asked about', async ({ page }) => {
  // Programs that use the API have logins too; a browser's is found by its name.
  await open(page, '/logins?search=Mozilla');
  const own = page.getByRole('row').filter({ hasText: 'You, here' });
  await expect(own).toHaveCount(1);
  await expectAccessible(page);

  await own.getByRole('button', { name: /^Sign out/ }).click();
  await expect(page.getByRole('dialog').getByText('This is the login you are using')).toBeVisible();
  await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click();
  await expect(own).toHaveCount(1);
});

test.describe('on a phone, in the dark, in Spanish', () => {
  test.use({ viewport: { width: 360, height: 740 }, colorScheme: 'dark', locale: 'es-ES', hasTouch: true });

  test('records are kept as well', async ({ page, server }) => {
    const kept = await keep(server, 'admin', 'machines', { name: 'bolsillo', type: 'remote', ipv4: '10.3.0.1', tags: ['muelle'] });

    await open(page, '/machines?search=bolsillo');
    await expect(page.getByRole('heading', { level: 1, name: 'Máquinas' })).toBeVisible();
    await expect(page.getByText('10.3.0.1')).toBeVisible();
    await expectFits(page);
    await expectAccessible(page);

    await open(page, `/machines/${kept.id}`);
    await expectFits(page);
    await expectAccessible(page);
    await page.getByRole('link', { name: 'Editar', exact: true }).tap();
    await page.getByLabel('Descripción').fill('en el bolsillo');
    await expectFits(page);
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Guardar' }).tap();
    await expect(page.getByText('en el bolsillo')).toBeVisible();
    await open(page, `/machines/${kept.id}?tab=history`);
    await expectFits(page);
    await expectAccessible(page);
  });
});

/** Nothing sticks out sideways. */
async function expectFits(page: Page): Promise<void> {
  const [wide, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  expect(wide).toBeLessThanOrEqual(window!);
}

for (const name of ['admin', 'staff'] satisfies Name[]) {
  for (const colorScheme of ['light', 'dark'] as const) {
    test(`every list of ${people[name].username} is accessible, ${colorScheme}`, async ({ pageOf }) => {
      const page = await pageOf(name);
      await page.emulateMedia({ colorScheme });
      for (const plural of ['machines', 'hosts', 'playbooks', 'users', 'customers', 'logins']) {
        await open(page, `/${plural}`);
        await expectAccessible(page);
        const hidden = await page.locator('.table-wrap').evaluateAll((all) => all.map((it) => it.scrollWidth - it.clientWidth));
        expect(hidden, `what hides under the buttons of ${plural}`).toEqual(hidden.map(() => 0));
      }
    });
  }
}
