// Playbooks run on real hosts as people meet it: chosen, checked first, run, watched, mended, found again.

import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import type { Server } from '../support/server.ts';
import { bearer, expect, expectAccessible, ready, test as base } from '../support/test.ts';

interface Kept {
  id: string;
}

interface Run extends Kept {
  state: string;
  recap: { host: string }[];
}

/** Writes a file, looks at something, and fails on the last host when it is asked to. */
const GREET = `
- name: Greet
  hosts: all
  gather_facts: false
  tasks:
    - name: Write the greeting
      ansible.builtin.copy:
        content: "{{ greeting | default('ahoy') }}\\n"
        dest: /tmp/{{ file | default('greeting') }}
      tags: [words]
    - name: Look around
      ansible.builtin.command: uname -s
      changed_when: false
      tags: [look]
    - name: Load the cargo
      ansible.builtin.fail:
        msg: no space left on the quay
      when: breaks | default(false) and inventory_hostname == 'berth-3'
`;

const SURVEY = `
- variable: greeting
  question: Which greeting?
  required: true
- variable: port
  question: Which port?
  answer: number
  default: 80
`;

/** Takes its time on every host. */
const WAIT = `
- name: Wait
  hosts: all
  gather_facts: false
  tasks:
    - name: Say something
      ansible.builtin.debug:
        msg: the tide comes in
    - name: Wait for the tide
      ansible.builtin.command: sleep {{ seconds }}
      changed_when: false
    - name: Cast off
      ansible.builtin.debug:
        msg: on the way
`;

/** Real hosts as machines of Acme, in the group `berths`, with what is run on them. */
class Stage {
  private constructor(
    readonly server: Server,
    readonly group: string,
    readonly key: string,
    readonly greet: string,
    readonly wait: string,
  ) {}

  static async set(server: Server): Promise<Stage> {
    const token = await bearer(server, 'admin');
    const keep = async (plural: string, fields: object) => (await server.api<Kept>('POST', plural, fields, token)).id;
    const machines: string[] = [];
    for (const [number, ipv4] of required('MUELLE_TEST_HOSTS').split(',').entries()) {
      const machine = await keep('machines', { name: `berth-${number + 1}`, type: 'remote', ipv4, ssh_user: 'root' });
      const path = `machines/${machine}/host-keys`;
      const { items } = await server.api<{ items: Kept[] }>('POST', `${path}/scan`, {}, token);
      await server.api('POST', `${path}/${items[0]!.id}/approve`, undefined, token);
      machines.push(machine);
    }
    const secret = readFileSync(required('MUELLE_TEST_HOST_KEY'), 'utf8');
    return new Stage(
      server,
      await keep('hosts', { name: 'berths', machines }),
      await keep('credentials', { name: 'berth key', type: 'ssh_key', secret }),
      await keep('playbooks', { name: 'greet the quay', content: GREET }),
      await keep('playbooks', { name: 'wait at the quay', content: WAIT }),
    );
  }

  playbook = async (name: string, fields: object): Promise<string> =>
    (await this.server.api<Kept>('POST', 'playbooks', { name, ...fields }, await bearer(this.server, 'admin'))).id;

  /** Begins a run behind the page's back. */
  async start(playbook: string, variables: object, options: object = {}): Promise<string> {
    const request = { playbook, hosts: [this.group], options: { credentials: [this.key], variables, ...options } };
    const token = await bearer(this.server, 'regular');
    const { job } = await this.server.api<{ job: Kept }>('POST', 'provisioning/runs', request, token);
    return job.id;
  }

  async run(id: string): Promise<Run> {
    const token = await bearer(this.server, 'admin');
    return (await this.server.api<{ run: Run }>('GET', `provisioning/runs/${id}`, undefined, token)).run;
  }

  /** Begins a run and waits for its end. */
  async finish(playbook: string, variables: object, options: object = {}): Promise<string> {
    const id = await this.start(playbook, variables, options);
    await expect.poll(async () => (await this.run(id)).state, { timeout: 60_000 }).not.toMatch(/queued|running/);
    return id;
  }
}

const test = base.extend<object, { stage: Stage }>({
  stage: [async ({ server }, use) => use(await Stage.set(server)), { scope: 'worker', timeout: 60_000 }],
});

test.use({ as: 'regular' });
test.describe.configure({ timeout: 120_000 });

test('a playbook is checked first, then run, and what it did is seen', async ({ page, stage }) => {
  await open(page, `/playbooks/${stage.greet}`);
  await page.getByRole('link', { name: 'Run…' }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Run greet the quay' })).toBeVisible();
  await expect(page.getByText('it shows here whom the run reaches')).toBeVisible();

  await page.getByRole('button', { name: 'Check first' }).click();
  await expect(page.getByText('Choose at least one host group or machine.')).toBeVisible();
  await expect(page).toHaveURL(/\/run$/);

  await pick(page, 'Host groups', 'berths');
  await expect(page.getByText('3 hosts')).toBeVisible();
  for (const host of ['berth-1', 'berth-2', 'berth-3']) await expect(beside(page)).toContainText(host);
  await expect(beside(page)).toContainText('ansible-playbook');
  await page.getByRole('textbox', { name: /^Limit/ }).fill('berth-1');
  await expect(page.getByText('1 host', { exact: true })).toBeVisible();
  await page.getByRole('textbox', { name: /^Limit/ }).fill('');
  await page.getByText('Options', { exact: true }).click();
  await pick(page, 'Credentials', 'berth key');
  await addVariable(page, 'file', 'checked');
  await expect(page.getByText('3 hosts')).toBeVisible();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Check first' }).click();

  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/);
  await expect(page.getByText('Check mode', { exact: true })).toBeVisible();
  await expect(state(page, 'Changed')).toBeVisible({ timeout: 60_000 });
  const cell = page.getByRole('button', { name: /^Write the greeting on berth-2: Changed/ });
  await cell.click();
  const result = page.getByRole('dialog', { name: 'Write the greeting on berth-2' });
  await expect(result.getByRole('insertion')).toContainText('ahoy');
  await result.getByText('Whole result as JSON').click();
  await expect(result).toContainText('"changed": true');
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await expect(result).toBeHidden();
  await expect(cell).toBeFocused();

  const checked = page.url();
  await menu(page, 'With other options…');
  await expect(page.getByText('Filled from the run of greet the quay.')).toBeVisible();
  await expect(page.getByText('3 hosts')).toBeVisible();
  await page.getByRole('button', { name: 'Run', exact: true }).click();

  await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/);
  expect(page.url()).not.toBe(checked);
  await expect(state(page, 'Changed')).toBeVisible({ timeout: 60_000 });
  await expect(page.getByText('Check mode', { exact: true })).toBeHidden();
  // What was checked only was still to be done, and is done now.
  await page.getByRole('button', { name: 'Run again' }).click();
  await expect(state(page, 'Succeeded')).toBeVisible({ timeout: 60_000 });

  await menu(page, 'Compare with the run before');
  await expect(page.getByRole('heading', { level: 1, name: 'Compare runs of greet the quay' })).toBeVisible();
  const difference = page.getByRole('row').filter({ hasText: 'Write the greeting' });
  await expect(difference).toHaveCount(3);
  await expect(difference.first()).toContainText('Changed');
  await expect(difference.first()).toContainText('Ok');
  await expectAccessible(page);
});

test('a failure is found, and only its host is run again', async ({ page, stage }) => {
  const id = await stage.finish(stage.greet, { breaks: true });
  await open(page, `/runs/${id}`);
  await expect(state(page, 'Failed')).toBeVisible();

  await page.getByRole('button', { name: 'Failed', exact: true }).click();
  await expect(page).toHaveURL(/show=failed/);
  await expect(page.getByRole('rowheader', { name: 'Write the greeting' })).toBeHidden();
  await page.getByRole('button', { name: /^Load the cargo on berth-3: Failed/ }).click();
  await expect(page.getByRole('dialog')).toContainText('no space left on the quay');
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'On failed hosts only' }).click();
  await expect(page).not.toHaveURL(new RegExp(id));
  await expect(state(page, 'Failed')).toBeVisible({ timeout: 60_000 });
  const again = page.url().match(/runs\/([0-9a-f-]+)/)![1]!;
  expect((await stage.run(again)).recap.map((it) => it.host)).toEqual(['berth-3']);
  await page.getByRole('main').getByRole('link', { name: 'Hosts', exact: true }).click();
  await expect(page.getByRole('row').filter({ hasText: 'berth-3' })).toBeVisible();
  await expect(page.getByRole('row').filter({ hasText: 'berth-1' })).toBeHidden();

  await open(page, '/');
  await expect(page.getByText('The run of greet the quay failed').first()).toBeVisible();
});

test('tasks and hosts fill in live, a reload goes on, and the end is told', async ({ page, stage }) => {
  const id = await stage.start(stage.wait, { seconds: 8 });
  await open(page, `/runs/${id}`);
  await expect(page.getByRole('button', { name: 'Wait for the tide on berth-1: Running' })).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('button', { name: 'Say something on berth-3: Ok' })).toBeVisible();
  await expect(state(page, 'Running')).toBeVisible();

  await page.reload();
  await ready(page);
  await expect(page.getByRole('button', { name: 'Wait for the tide on berth-1: Running' })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Cast off on berth-2: Ok' })).toBeVisible({ timeout: 60_000 });
  await expect(state(page, 'Succeeded')).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('button', { name: 'Cancel run' })).toBeHidden();

  await page.getByRole('link', { name: 'Console', exact: true }).click();
  await expect(output(page)).toContainText('TASK [Cast off]');
  await expect(output(page).getByText('TASK [Say something]')).toHaveCount(1);
  await page.getByLabel('Search in the output').fill('tide comes');
  await page.getByRole('button', { name: 'Search', exact: true }).click();
  await expect(page.getByText('3 of 3')).toBeVisible();
  await page.getByRole('button', { name: 'Previous match' }).click();
  await expect(page.getByText('2 of 3')).toBeVisible();
  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('link', { name: 'Download' }).click(),
  ]);
  expect(readFileSync(await file.path(), 'utf8')).toContain('PLAY RECAP');
});

test('a run is cancelled, which says so on its page and in the list', async ({ page, stage }) => {
  const id = await stage.start(stage.wait, { seconds: 300 });
  await open(page, `/runs/${id}`);
  await expect(page.getByRole('button', { name: 'Wait for the tide on berth-1: Running' })).toBeVisible({ timeout: 60_000 });

  await page.getByRole('button', { name: 'Cancel run' }).click();
  const question = page.getByRole('dialog', { name: 'Cancel this run?' });
  await expect(question).toContainText('wait at the quay');
  await question.getByRole('button', { name: 'Cancel run' }).click();

  await expect(state(page, 'Cancelled')).toBeVisible({ timeout: 60_000 });
  await expect(page.getByRole('button', { name: 'Run again' })).toBeVisible();
  await open(page, '/runs');
  const row = page.getByRole('row').filter({ hasText: 'wait at the quay' }).first();
  await expect(row.getByText('Cancelled', { exact: true })).toBeVisible();
});

test('every run is found again, by state, by playbook and by host', async ({ page, stage }) => {
  const done = await stage.finish(stage.greet, { file: 'found' });
  const failed = await stage.finish(stage.greet, { breaks: true });
  await open(page, '/runs');
  const link = (id: string) => page.locator(`a[href="/runs/${id}"]`);
  await expect(link(done)).toBeVisible();
  await expect(link(failed)).toBeVisible();

  await page.getByLabel('State').selectOption({ label: 'Failed' });
  await expect(link(done)).toBeHidden();
  await expect(page).toHaveURL(/state=failed/);
  await page.reload();
  await ready(page);
  await expect(link(failed)).toBeVisible();
  await expect(link(done)).toBeHidden();
  await page.getByRole('button', { name: 'Clear the filters' }).click();
  await expect(link(done)).toBeVisible();

  await page.getByRole('button', { name: 'Filter', exact: true }).click();
  await pick(page, 'Playbook', 'wait at the quay');
  await expect(link(done)).toBeHidden();
  await expect(page.getByRole('link', { name: 'Drop the filter Playbook: wait at the quay' })).toBeVisible();
  await page.keyboard.press('Escape');
  await page.getByRole('link', { name: /^Drop the filter Playbook/ }).click();
  await expect(link(done)).toBeVisible();

  await open(page, `/playbooks/${stage.greet}?tab=runs`);
  await expect(link(failed)).toBeVisible();
  await open(page, `/jobs/${failed}`);
  await page.getByRole('link', { name: 'Open the run' }).click();
  await expect(page).toHaveURL(new RegExp(`/runs/${failed}$`));
});

test('questions are typed fields, and what is missing is told beside them', async ({ page, stage, guard }) => {
  // What the form asks while something is missing is refused, and the browser notes each refusal.
  guard.expects(/422 .*preview_run/);
  const playbook = await stage.playbook('ask the quay', { content: GREET, survey: SURVEY });
  await open(page, `/runs/new?playbook=${playbook}&hosts=${stage.group}`);
  await expect(page.getByLabel(/Which port/)).toHaveValue('80');
  await page.getByLabel(/Which port/).fill('many');
  await page.getByRole('button', { name: 'Run', exact: true }).click();
  await expect(page.getByText('This question needs an answer.')).toBeVisible();
  await expect(page.getByText('Give a number.')).toBeVisible();
  await expect(page.getByLabel('Which greeting?')).toBeFocused();
  await expectAccessible(page);

  await page.getByRole('link', { name: 'Runs', exact: true }).click();
  await expect(page.getByRole('dialog', { name: 'Leave without saving?' })).toBeVisible();
  await page.getByRole('button', { name: 'Stay' }).click();
  await expect(page.getByLabel(/Which port/)).toHaveValue('many');
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('looks at runs and is told why none can be started', async ({ page, stage, server }) => {
    const id = await stage.finish(stage.greet, {});
    await open(page, `/runs/${id}`);
    await expect(page.getByRole('button', { name: /^Look around on berth-1: Ok/ })).toBeVisible();
    const again = page.getByRole('button', { name: /^Run again/ });
    await expect(again).toHaveAttribute('aria-disabled', 'true');
    await expect(again).toHaveAttribute('title', /Viewers look and change nothing/);
    await again.click({ force: true });
    await expect(page).toHaveURL(new RegExp(`/runs/${id}$`));

    await open(page, `/playbooks/${stage.greet}/run`);
    await expect(page.getByText(/Viewers look and change nothing/).first()).toBeVisible();
    await expect(page.getByRole('textbox', { name: /^Limit/ })).toBeDisabled();
    await expectAccessible(page);
    const request = { playbook: stage.greet, hosts: [stage.group] };
    const refused = server.api('POST', 'provisioning/runs', request, await bearer(server, 'viewer'));
    await expect(refused).rejects.toThrow(/403/);
  });
});

test.describe('a stranger', () => {
  test.use({ as: 'stranger' });

  test('finds nothing of it', async ({ page, stage, guard }) => {
    const id = await stage.finish(stage.greet, {});
    guard.expects(/404/);
    await page.goto(`/runs/${id}`);
    await expect(page.getByRole('main')).not.toContainText('greet the quay');
    await open(page, '/runs');
    await expect(page.getByText('No playbook was run yet.')).toBeVisible();
  });
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.describe(colorScheme, () => {
    test.use({ colorScheme, viewport: { width: 1440, height: 900 } });

    test('the list and every part of a run are accessible', async ({ page, stage }) => {
      const id = await stage.finish(stage.greet, { breaks: true });
      await open(page, '/runs');
      await expect(page.locator(`a[href="/runs/${id}"]`)).toBeVisible();
      await expectAccessible(page);
      for (const part of ['', '?tab=console', '?tab=hosts', '?tab=details']) {
        await open(page, `/runs/${id}${part}`);
        await expect(state(page, 'Failed')).toBeVisible();
        await expectAccessible(page);
      }
    });
  });
}

test.describe('on a phone', () => {
  test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

  test('nothing is wider than the screen, and a run can be begun', async ({ page, stage }) => {
    const id = await stage.finish(stage.greet, { breaks: true });
    for (const part of ['', '?tab=console', '?tab=hosts', '?tab=details']) {
      await open(page, `/runs/${id}${part}`);
      await expect(state(page, 'Failed')).toBeVisible();
      await expectFits(page);
    }
    await open(page, '/runs');
    await expect(page.locator(`a[href="/runs/${id}"]`)).toBeVisible();
    await expectFits(page);
    await open(page, `/runs/new?from=${id}`);
    await expectFits(page);
    await page.getByRole('button', { name: 'Run', exact: true }).tap();
    await expect(page).toHaveURL(/\/runs\/[0-9a-f-]{36}$/);
    await expect(state(page, 'Failed')).toBeVisible({ timeout: 60_000 });
  });
});

test('runs speak Spanish', async ({ page, stage }) => {
  const id = await stage.finish(stage.greet, {});
  await open(page, `/runs/${id}`);
  await page.getByRole('button', { name: 'Switch to Spanish' }).click();
  await expect(page.getByRole('link', { name: 'Consola', exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: /^Look around en berth-1: Bien/ })).toBeVisible();
  await page.getByRole('link', { name: 'Ejecuciones', exact: true }).click();
  await expect(page.getByRole('heading', { level: 1, name: 'Ejecuciones' })).toBeVisible();
});

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await ready(page);
}

/** Picks something by name in an input that finds things. */
async function pick(page: Page, label: string, name: string): Promise<void> {
  await page.getByRole('combobox', { name: new RegExp(`^${label}`) }).fill(name);
  await page.getByRole('option', { name, exact: true }).click();
}

async function addVariable(page: Page, name: string, value: string): Promise<void> {
  await page.getByRole('button', { name: 'Add a variable' }).click();
  await page.getByLabel(/^Name of variable/).last().fill(name);
  await page.getByLabel(/^Value of variable/).last().fill(value);
}

async function menu(page: Page, name: string): Promise<void> {
  await page.getByRole('button', { name: 'More actions' }).click();
  await page.getByRole('link', { name }).click();
}

function beside(page: Page): Locator {
  return page.getByRole('complementary', { name: 'What it would do' });
}

/** The state in the page's head. */
function state(page: Page, word: string): Locator {
  return page.locator('.page-head').getByText(word, { exact: true });
}

function output(page: Page): Locator {
  return page.getByRole('log');
}

async function expectFits(page: Page): Promise<void> {
  const [wide, screen] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  expect(wide, 'the page is as wide as the screen').toBeLessThanOrEqual(screen!);
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` or \`scripts/services up\` provides it`);
  return value;
}
