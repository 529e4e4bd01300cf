// Playbooks at set times: the rule is told while it is typed, and a schedule is paused, resumed and run at once.

import type { Page } from '@playwright/test';
import type { Server } from '../support/server.ts';
import { bearer, expect, expectAccessible, ready, test, type Name } from '../support/test.ts';

interface Kept {
  id: string;
  revision: number;
}

let made = 0;

/** A playbook, a group and a name that no other story has. */
async function grounds(server: Server): Promise<{ playbook: Kept; host: Kept; name: string }> {
  made += 1;
  const name = `tide-${made}`;
  const playbook = await keep(server, 'playbooks', { name, content: '- hosts: all\n  tasks: []\n' });
  const host = await keep(server, 'hosts', { name, addresses: ['192.0.2.7'] });
  return { playbook, host, name };
}

async function keep(server: Server, plural: string, fields: object, as: Name = 'admin'): Promise<Kept> {
  return server.api<Kept>('POST', plural, fields, await bearer(server, as));
}

/** A schedule of Acme at three in the morning, by the clock of Madrid. */
async function nightly(server: Server): Promise<{ schedule: Kept; name: string }> {
  const { playbook, host, name } = await grounds(server);
  const schedule = await keep(server, 'schedules', {
    name,
    playbook: playbook.id,
    hosts: [host.id],
    cron: '0 3 * * *',
    time_zone: 'Europe/Madrid',
    overlap: 'skip',
    catch_up: 'none',
  });
  return { schedule, name };
}

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await ready(page);
}

async function pick(page: Page, label: string, name: string): Promise<void> {
  await page.getByRole('combobox', { name: label }).fill(name);
  await page.getByRole('option', { name }).click();
}

test('a schedule is made with its rule told in words', async ({ page, server }) => {
  const { name } = await grounds(server);
  await open(page, '/');
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: 'Schedules' }).click();
  await page.getByRole('link', { name: 'New schedule' }).first().click();

  await page.getByLabel('Name').fill(name);
  await pick(page, 'Playbook', name);
  await pick(page, 'Host groups', name);
  await page.getByLabel('Time zone').fill('Europe/Madrid');
  await page.getByRole('button', { name: 'Weekdays' }).click();
  await expect(page.getByText('Monday to Friday at 07:30.')).toBeVisible();
  await page.getByLabel('When', { exact: true }).fill('15 4 * * 5#1');
  await expect(page.getByText('On the first Friday of the month at 04:15.')).toBeVisible();
  await expect(page.getByText('Next five times in Europe/Madrid')).toBeVisible();
  await expect(page.getByRole('listitem').filter({ hasText: /^Friday, .*, 04:15 \+0[12]:00$/ })).toHaveCount(5);
  await page.getByRole('button', { name: 'Save' }).click();

  await expect(page.getByRole('heading', { level: 1, name })).toBeVisible();
  await expect(page.getByText('On the first Friday of the month at 04:15.')).toBeVisible();
  await expect(page.getByText('It has not run yet.')).toBeVisible();
  await expectAccessible(page);
});

test('a schedule says how its playbook runs with the inputs of a run', async ({ page, server, guard }) => {
  guard.expects(/422 .*save_record/);
  const { host, name } = await grounds(server);
  const asking = `${name}-asks`;
  const survey = '- variable: package\n  question: Which package?\n  required: true\n- variable: pin\n  answer: secret\n';
  const content = '- hosts: all\n  tasks:\n    - name: Tie up\n      ansible.builtin.ping:\n      tags: [mooring]\n';
  await keep(server, 'playbooks', { name: asking, content, survey });
  const schedule = await keep(server, 'schedules', {
    name, playbook: (await keep(server, 'playbooks', { name: `${name}-quiet`, content })).id, hosts: [host.id],
    cron: '0 3 * * *', overlap: 'skip', catch_up: 'none', options: '# as agreed\nverbosity: 1\n',
  });
  const options = async () =>
    (await server.api<{ options: string }>('GET', `schedules/${schedule.id}`, undefined, await bearer(server, 'admin'))).options;
  await open(page, `/schedules/${schedule.id}/edit`);
  await expect(page.getByLabel('How much Ansible says')).toHaveValue('1');
  await expect(page.getByRole('link', { name: 'Cancel' })).toBeVisible();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page).toHaveURL(new RegExp(`/schedules/${schedule.id}$`));
  // Looking at the inputs has changed nothing.
  expect(await options()).toContain('# as agreed');

  await open(page, `/schedules/${schedule.id}/edit`);
  await pick(page, 'Playbook', asking);
  await page.getByLabel(/^Limit/).fill('192.*');
  await page.getByLabel('Check mode').check();
  await expect(page.getByText('The playbook asks for secrets too.')).toBeVisible();
  await page.getByLabel('Which package?').fill('nginx');
  await page.getByLabel('Hosts at a time').fill('many');
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByLabel('Hosts at a time')).toBeFocused();
  await expect(page.getByText('Give a whole number from 1 to 500.')).toBeVisible();
  await page.getByLabel('Hosts at a time').fill('3');
  await page.getByRole('combobox', { name: 'Only these tags' }).fill('moor');
  await page.getByRole('option', { name: 'mooring' }).click({ timeout: 30_000 });
  await page.getByRole('button', { name: 'Add a variable' }).click();
  await page.getByLabel('Name of variable 1').fill('ports');
  await page.getByLabel('Value of variable 1').fill('[80, 443]');
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Save' }).click();

  await expect(page).toHaveURL(new RegExp(`/schedules/${schedule.id}$`));
  expect(await options()).toBe(
    'limit: "192.*"\ntags: [mooring]\ncheck: true\nverbosity: 1\nforks: 3\nvariables:\n  package: "nginx"\n  ports: [80,443]\n',
  );
  await open(page, `/schedules/${schedule.id}/edit`);
  await expect(page.getByLabel('Which package?')).toHaveValue('nginx');
  await page.getByRole('button', { name: 'Write as YAML' }).click();
  const text = page.getByRole('textbox', { name: 'Run options' }).and(page.locator('.cm-content'));
  await expect(text).toContainText('package: "nginx"');
  await text.click();
  await page.keyboard.press('Control+End');
  await page.keyboard.insertText('timeout: 60\n');
  await page.getByRole('button', { name: 'Show as fields' }).click();
  await expect(page.getByLabel('Time limit in seconds')).toHaveValue('60');
});

test('the list tells what came of the last time, and leads to the run', async ({ page, server }) => {
  const { schedule, name } = await nightly(server);
  await open(page, '/schedules');
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
  await expect(row).toBeVisible();

  // Nobody answers at the address, which is a result too.
  const token = await bearer(server, 'admin');
  const { job } = await server.api<{ job: Kept }>('POST', `schedules/${schedule.id}/run`, undefined, token);
  await expect(row.getByRole('link', { name: /Under way|A host was unreachable/ })).toHaveAttribute('href', `/runs/${job.id}`);

  await open(page, '/playbooks');
  const book = page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
  await expect(book.locator(`a[href="/runs/${job.id}"]`)).toBeVisible();
  await expectAccessible(page);
});

test('a rule that cannot be read is marked where it stands', async ({ page, server, guard }) => {
  guard.expects(/422 .*(preview_schedule|save_record)/);
  const { name } = await grounds(server);
  await open(page, '/schedules/new');
  await page.getByLabel('Name').fill(name);
  await pick(page, 'Playbook', name);
  await pick(page, 'Host groups', name);
  const when = page.getByLabel('When', { exact: true });

  await when.fill('61 3 * * *');
  await page.getByLabel('Time zone').click();

  await expect(when).toHaveAttribute('aria-invalid', 'true');
  await expect(page.getByText('Minute: 61 is not between 0 and 59.')).toBeVisible();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(when).toBeFocused();

  await when.fill('0 3 * * *');
  await expect(page.getByText('Every day at 03:00.')).toBeVisible();
  await expect(when).not.toHaveAttribute('aria-invalid', 'true');
});

test('a schedule without a target is not kept', async ({ page, server, guard }) => {
  guard.expects(/422 .*save_record/);
  const { name } = await grounds(server);
  await open(page, '/schedules/new');
  await page.getByLabel('Name').fill(name);
  await pick(page, 'Playbook', name);
  await page.getByRole('button', { name: 'Nightly' }).click();

  await page.getByRole('button', { name: 'Save' }).click();

  await expect(page.getByText('Choose at least one host group or machine.')).toBeVisible();
});

test('a schedule is paused and resumed', async ({ page, server }) => {
  const { schedule, name } = await nightly(server);
  await open(page, `/schedules/${schedule.id}`);

  await page.getByRole('button', { name: 'Pause', exact: true }).click();
  await expect(page.getByText(`${name} is paused.`)).toBeVisible();
  await expect(page.getByText('Paused', { exact: true }).first()).toBeVisible();
  await expect(page.getByText('While it is paused, it does not run.')).toBeVisible();

  await page.getByRole('button', { name: 'Resume', exact: true }).click();
  await expect(page.getByText(`${name} is running again.`)).toBeVisible();
  await expect(page.getByRole('button', { name: 'Pause', exact: true })).toBeVisible();
  await open(page, '/schedules');
  const row = page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });
  await expect(row.getByText(/^in \d+ (hours?|minutes?)$/)).toBeVisible();
});

test('a viewer sees a schedule and can do nothing with it', async ({ pageOf, server }) => {
  const { schedule } = await nightly(server);
  const page = await pageOf('viewer');
  await open(page, `/schedules/${schedule.id}`);

  await expect(page.getByText('Every day at 03:00.')).toBeVisible();
  for (const name of ['Run now', 'Pause']) {
    const button = page.getByRole('button', { name: new RegExp(`^${name}\\. `) });
    await expect(button).toHaveAttribute('aria-disabled', 'true');
  }
});

test("another customer's schedule is not there", async ({ pageOf, server, guard }) => {
  guard.expects(/status of 404/);
  const { schedule, name } = await nightly(server);
  const page = await pageOf('stranger');
  const answer = await page.goto(`/schedules/${schedule.id}`);

  expect(answer?.status()).toBe(404);
  await expect(page.getByText(name)).toBeHidden();
});

test.describe('on a phone, in Spanish', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, locale: 'es-ES' });

  test('a schedule is told and fits', async ({ page, server }) => {
    const { schedule } = await nightly(server);
    await open(page, `/schedules/${schedule.id}`);

    await expect(page.getByText('Todos los días a las 03:00.')).toBeVisible();
    await expect(page.getByText('Próximas cinco veces en Europe/Madrid')).toBeVisible();
    await expect(page.getByRole('button', { name: 'Pausar', exact: true })).toBeVisible();
    await expect(page.getByRole('button', { name: 'Ejecutar ahora', exact: true })).toBeVisible();
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    await expectAccessible(page);

    await open(page, `/schedules/${schedule.id}/edit`);
    await page.getByRole('button', { name: 'Laborables' }).click();
    await expect(page.getByText('De lunes a viernes a las 07:30.')).toBeVisible();
    await expectAccessible(page);
  });
});
