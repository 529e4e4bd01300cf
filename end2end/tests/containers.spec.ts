// Containers as people meet them: listed, run from the form, watched, stopped and removed.

import type { Page } from '@playwright/test';
import { expect, expectAccessible, ready, test } from '../support/test.ts';

const image = required('MUELLE_TEST_IMAGE');
const big = required('MUELLE_TEST_BIG_IMAGE');

/** Waits until the page listens and its changes arrive. */
async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await ready(page);
}

const row = (page: Page, name: string) => page.getByRole('row').filter({ has: page.getByRole('link', { name, exact: true }) });

/** Runs a container as a colleague would, in another terminal. It ends at once when it is told to. */
async function outside(docker: (...args: string[]) => Promise<string>, name: string, ...args: string[]): Promise<string> {
  return docker('run', '--detach', '--stop-signal', 'KILL', '--name', name, ...args, image, 'sh', '-c', 'while true; do echo tick; sleep 1; done');
}

test.describe('staff', () => {
  test.use({ as: 'staff' });

  test('a container started outside appears within a second, and goes again', async ({ page, docker }) => {
    await open(page, '/containers');
    await expect(page.getByText('No containers here yet')).toBeVisible();

    await outside(docker, 'elsewhere');
    await expect(row(page, 'elsewhere')).toBeVisible({ timeout: 1_000 });
    await expect(row(page, 'elsewhere').getByText('Running')).toBeVisible();

    await docker('rm', '--force', 'elsewhere');
    await expect(row(page, 'elsewhere')).toBeHidden({ timeout: 2_000 });
  });

  test('containers are paused, restarted, renamed, killed, stopped and removed from their row', async ({ page, docker }) => {
    await outside(docker, 'worker');
    await open(page, '/containers');
    const more = async (name: string, action: string) => {
      await page.getByRole('button', { name: `More for ${name}` }).click();
      await page.getByRole('button', { name: action, exact: true }).click();
    };

    await more('worker', 'Pause');
    await expect(row(page, 'worker').getByText('Paused')).toBeVisible();
    await page.getByRole('button', { name: 'Unpause worker' }).click();
    await expect(row(page, 'worker').getByText('Running')).toBeVisible();

    await more('worker', 'Rename…');
    await page.getByLabel('New name').fill('helper');
    await page.getByRole('button', { name: 'Rename', exact: true }).click();
    await expect(row(page, 'helper')).toBeVisible();

    await more('helper', 'Restart');
    await expect(page.getByText('Restarted helper')).toBeVisible({ timeout: 20_000 });

    await more('helper', 'Kill…');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    await expect(row(page, 'helper').getByText('Exited (137)')).toBeVisible();

    await page.getByRole('button', { name: 'Start helper' }).click();
    await expect(row(page, 'helper').getByText('Running')).toBeVisible();
    await page.getByRole('button', { name: 'Stop helper' }).click();
    await expect(row(page, 'helper').getByText(/Exited/)).toBeVisible({ timeout: 20_000 });

    await more('helper', 'Remove…');
    const dialog = page.getByRole('dialog');
    await expect(dialog).toContainText('helper');
    await expect(dialog.getByLabel(/anonymous volumes/)).not.toBeChecked();
    await dialog.getByRole('button', { name: 'Remove', exact: true }).click();
    await expect(row(page, 'helper')).toBeHidden();
    expect(await docker('ps', '--all', '--quiet', '--filter', 'name=helper')).toBe('');
  });

  test('a running container is only removed by force, which must be said', async ({ page, docker }) => {
    await outside(docker, 'alive');
    await open(page, '/containers');

    await row(page, 'alive').getByRole('checkbox').check();
    await expect(page.getByText('1 selected')).toBeVisible();
    await page.getByRole('region', { name: 'Actions on the selection' }).getByRole('button', { name: 'Remove…' }).click();
    const dialog = page.getByRole('dialog');
    const remove = dialog.getByRole('button', { name: /^Remove/ });
    await expect(remove).toHaveAttribute('aria-disabled', 'true');

    await dialog.getByLabel('Kill and remove what is running').check();
    await remove.click();
    await expect(row(page, 'alive')).toBeHidden();
  });

  test('stopped containers are pruned, and the page tells what goes', async ({ page, docker }) => {
    await docker('create', '--name', 'old', '--label', 'team=blue', image);
    await docker('create', '--name', 'kept', image);
    await open(page, '/containers');

    await page.getByRole('button', { name: 'Prune' }).click();
    const dialog = page.getByRole('dialog');
    await expect(dialog.getByRole('listitem')).toHaveCount(2);
    await dialog.getByLabel(/Only with the label/).fill('team=blue');
    await expect(dialog.getByRole('listitem')).toHaveText(['old']);
    await dialog.getByRole('button', { name: 'Remove 1' }).click();

    await expect(dialog.getByText(/Removed 1, .* freed/)).toBeVisible();
    await dialog.getByRole('button', { name: 'Close' }).first().click();
    await expect(row(page, 'old')).toBeHidden();
    await expect(row(page, 'kept')).toBeVisible();
  });

  test('filters, order and page stand in the address', async ({ page, docker }) => {
    await docker('create', '--name', 'alpha', '--label', 'com.docker.compose.project=shop', image);
    await outside(docker, 'beta');
    await open(page, '/containers');
    await expect(page.getByRole('button', { name: /shop/ })).toBeVisible();

    await page.getByLabel('State').selectOption('running');
    await expect(row(page, 'alpha')).toBeHidden();
    await expect(page).toHaveURL(/state=running/);

    await page.getByLabel('Filter by name, image, label').fill('nothing like it');
    await expect(page.getByText('Nothing matches.')).toBeVisible();
    await page.getByRole('button', { name: 'Clear the filters' }).first().click();
    await page.getByRole('link', { name: 'Created', exact: true }).click();
    await expect(page).toHaveURL(/sort=created/);
    await expect(page.getByRole('columnheader', { name: 'Created' })).toHaveAttribute('aria-sort', 'ascending');
    await page.getByRole('link', { name: 'Created', exact: true }).click();
    await expect(page).toHaveURL(/sort=-created/);
    await page.goBack();
    await expect(page.getByRole('columnheader', { name: 'Created' })).toHaveAttribute('aria-sort', 'ascending');

    await open(page, '/containers?q=beta');
    await expect(row(page, 'beta')).toBeVisible();
    await expect(row(page, 'alpha')).toBeHidden();
  });

  test('columns are chosen and stay so', async ({ page, docker }) => {
    await outside(docker, 'columned');
    await open(page, '/containers');
    await expect(page.getByRole('columnheader', { name: 'Command' })).toHaveCount(0);

    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByLabel('Command', { exact: true }).check();
    await page.getByLabel('Ports', { exact: true }).uncheck();
    await page.keyboard.press('Escape');
    await expect(row(page, 'columned').getByText(/echo tick/)).toBeVisible();

    await page.reload();
    await ready(page);
    await expect(page.getByRole('columnheader', { name: 'Command' })).toBeVisible();
    await expect(page.getByRole('columnheader', { name: 'Ports' })).toHaveCount(0);
    await page.getByRole('button', { name: 'Columns' }).click();
    await page.getByRole('button', { name: 'As at the start' }).click();
    await expect(page.getByRole('columnheader', { name: 'Ports' })).toBeVisible();
  });

  test('more containers than fit are turned through, page by page', async ({ page, docker }) => {
    for (let number = 10; number < 36; number++) await docker('create', '--name', `many-${number}`, image);
    await open(page, '/containers?size=25');

    await expect(page.getByText('1–25 of 26')).toBeVisible();
    await page.getByRole('link', { name: 'Next page' }).click();
    await expect(page).toHaveURL(/page=2/);
    await expect(row(page, 'many-35')).toBeVisible();
    await page.getByLabel('Rows on a page').selectOption('50');
    await expect(page.getByText('1–26 of 26')).toBeVisible();
    await expect(page).toHaveURL(/\/containers$/);
  });

  test('a page that cannot reach the server says so under its own heading', async ({ page, docker, guard }) => {
    guard.expects(/ERR_FAILED/);
    await outside(docker, 'unreached');
    await open(page, '/containers');

    await page.route('**/api/fn/**', (route) => route.abort());
    await row(page, 'unreached').getByRole('link', { name: 'unreached', exact: true }).click();
    await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
    await expect(page.getByText(/Muelle does not answer\./)).toBeVisible();
    await expectAccessible(page);
  });

  test('the form shows the command, refuses what is wrong at its field, and runs with progress', async ({ page, docker }) => {
    await open(page, '/containers/new');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await expect(page.getByText('Name the image').first()).toBeVisible();

    await page.getByLabel('Image', { exact: true }).fill(image);
    await page.getByLabel(/^Name/).first().fill('from-form');
    await page.getByRole('textbox', { name: /^Command/ }).fill("sh -c 'echo $GREETING; sleep 600'");
    await page.getByRole('button', { name: 'Paste .env' }).click();
    await page.getByLabel(/Lines of a .env file/).fill('GREETING=hello\nAPI_TOKEN=canary-value');
    await page.getByRole('button', { name: 'Take over' }).click();
    await page.getByRole('button', { name: 'Add port' }).click();
    await page.getByLabel('Port on the machine').fill('99999');
    await page.getByLabel('Port inside').fill('80');
    const command = page.getByRole('complementary', { name: 'What it means' });
    await expect(command).toContainText('--env GREETING=hello');
    await expect(command).not.toContainText('canary-value');

    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await expect(page.getByLabel('Port on the machine')).toHaveAttribute('aria-invalid', 'true');
    await page.getByLabel('Port on the machine').fill('18080');
    await page.getByLabel(/^Memory/).fill('64m');
    await page.getByRole('button', { name: 'Run', exact: true }).click();

    await page.getByRole('dialog').getByRole('link', { name: 'To the container', exact: true }).click();
    await expect(page.getByRole('heading', { name: 'from-form' })).toBeVisible();
    await expect(page.getByText('18080 → 80')).toBeVisible();
    await expect(page.getByText('API_TOKEN=••••••••')).toBeVisible();
    expect(await docker('inspect', '--format', '{{.HostConfig.Memory}}', 'from-form')).toBe(String(64 * 1024 * 1024));
  });

  test('a copy keeps what was asked of mounts, and joins a further network', async ({ page, docker }) => {
    await docker('network', 'create', 'behind');
    await outside(docker, 'original', '--tmpfs', '/cache:size=16m,mode=1770');
    await open(page, '/containers/new?from=original');

    await page.getByLabel(/^Name/).first().fill('a-copy');
    await page.getByRole('button', { name: 'Add network' }).click();
    await page.getByRole('textbox', { name: 'Network', exact: true }).last().fill('behind');
    const command = page.getByRole('complementary', { name: 'What it means' });
    await expect(command).toContainText('tmpfs-size=16777216');
    await page.getByRole('button', { name: 'Run', exact: true }).click();

    await page.getByRole('dialog').getByRole('link', { name: 'To the container', exact: true }).click();
    await expect(page.getByRole('heading', { level: 1, name: 'a-copy' })).toBeVisible();
    const networks = await docker('inspect', '--format', '{{range $name, $it := .NetworkSettings.Networks}}{{$name}} {{end}}', 'a-copy');
    expect(networks.split(' ').filter(Boolean).sort()).toEqual(['behind', 'bridge']);
    expect(await docker('inspect', '--format', '{{json .HostConfig.Mounts}}', 'a-copy')).toContain('"SizeBytes":16777216');

    await page.getByRole('link', { name: 'Inspect' }).click();
    const tree = page.getByRole('region', { name: 'Inspect' }).last();
    await expect(tree.getByText('NetworkMode')).toBeVisible();
    await tree.getByText('HostConfig', { exact: true }).click();
    await expect(tree.getByText('NetworkMode')).toBeHidden();
  });

  test('a log is followed, waits while somebody reads, and is searched by the server', async ({ page, docker }) => {
    await docker(
      'run', '--detach', '--stop-signal', 'KILL', '--name', 'talker', image, 'sh', '-c',
      'for i in $(seq 300); do echo "line $i"; done; printf "\\033[31mred words\\033[0m\\n"; while true; do sleep 1; echo later; done',
    );
    await open(page, '/containers');
    await page.getByRole('link', { name: 'Log of talker' }).click();
    const log = page.getByRole('log');
    await expect(log.locator('.ansi-red')).toHaveText('red words');
    await expect(log.getByText('later').first()).toBeVisible();

    await log.evaluate((element) => (element.scrollTop = 0));
    await expect(page.getByRole('button', { name: /new line/ })).toBeVisible({ timeout: 10_000 });
    await page.getByRole('button', { name: /new line|To the end/ }).click();

    await page.getByLabel('Search the whole log').fill('line 123');
    await page.getByRole('button', { name: 'Search', exact: true }).click();
    await expect(page.getByText('1 of 1')).toBeVisible();
    await expect(log.locator('[data-hit="true"]')).toHaveText(/line 123/);

    await page.getByRole('button', { name: 'Stop' }).click();
    await expect(page.getByRole('status').getByText('Ended')).toBeVisible({ timeout: 20_000 });
  });

  test('an engine that goes away leaves what was known, and comes back by itself', async ({ page, docker, engine }) => {
    await outside(docker, 'survivor');
    await open(page, '/containers');
    await expect(row(page, 'survivor')).toBeVisible();

    await engine.stop();
    await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible({ timeout: 15_000 });
    await expect(row(page, 'survivor')).toBeVisible();
    await page.reload();
    await expect(page.getByRole('button', { name: 'Try again' })).toBeVisible();

    await engine.start();
    await expect(page.getByRole('button', { name: 'Try again' })).toBeHidden({ timeout: 30_000 });
  });

  test('a container that is gone leads back to the list', async ({ page, guard }) => {
    guard.expects(/404/);
    await page.goto('/containers/0123456789ab');

    await expect(page.getByRole('heading', { name: 'There is no such container' })).toBeVisible();
    await page.getByRole('link', { name: 'To the containers' }).click();
    await expect(page).toHaveURL(/\/containers$/);
  });

  test('the tab may be closed during a pull', async ({ page, pageOf, docker }) => {
    await open(page, '/containers');
    await page.getByRole('button', { name: 'Pull image' }).click();
    await page.getByRole('dialog').getByLabel('Image').fill(big);
    await page.getByRole('dialog').getByRole('button', { name: 'Pull', exact: true }).click();
    await expect(page.getByRole('dialog').getByRole('link', { name: 'Details' })).toBeVisible();
    await page.close();

    const later = await pageOf('staff');
    await open(later, '/images');
    await expect(later.getByRole('link', { name: big })).toBeVisible({ timeout: 30_000 });
    await docker('rmi', big);
  });

  for (const [name, options] of [
    ['light', { colorScheme: 'light' }],
    ['dark', { colorScheme: 'dark' }],
  ] as const) {
    test.describe(name, () => {
      test.use(options);

      test('every page of containers is accessible', async ({ page, docker }) => {
        await outside(docker, 'seen', '--publish', '80', '--env', 'A_TOKEN=x', '--health-cmd', 'true');
        await docker('create', '--name', 'grouped', '--label', 'com.docker.compose.project=shop', image);
        for (const path of ['', '/new', '/seen', '/seen?tab=logs', '/seen?tab=health', '/seen?tab=inspect']) {
          await open(page, `/containers${path}`);
          await expect(page.getByRole('heading', { level: 1 })).toBeVisible();
          await expectAccessible(page);
        }
      });
    });
  }

  test.describe('on a phone', () => {
    test.use({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });

    test('nothing is wider than the screen, and a container can be restarted', async ({ page, docker }) => {
      await outside(docker, 'pocket');
      for (const path of ['/containers', '/containers/new', '/containers/pocket', '/containers/pocket?tab=logs', '/images']) {
        await open(page, path);
        const surplus = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
        expect(surplus, path).toBeLessThanOrEqual(0);
      }
      await open(page, '/containers');
      await page.getByRole('button', { name: 'More for pocket' }).tap();
      await page.getByRole('button', { name: 'Restart', exact: true }).tap();
      await expect(page.getByText('Restarted pocket')).toBeVisible({ timeout: 20_000 });
    });
  });

  test('the list and the form speak Spanish', async ({ page, docker }) => {
    await outside(docker, 'hola');
    await open(page, '/containers');
    await page.getByRole('button', { name: 'Switch to Spanish' }).click();
    await expect(page.getByRole('heading', { name: 'Contenedores' })).toBeVisible();
    await expect(row(page, 'hola').getByText('En marcha')).toBeVisible();

    await open(page, '/containers/new');
    await page.getByRole('button', { name: 'Ejecutar', exact: true }).click();
    await expect(page.getByText('Indique la imagen').first()).toBeVisible();
  });
});

test.describe('a regular user', () => {
  test.use({ as: 'regular' });

  test('cannot give a container rights over the machine', async ({ page }) => {
    await open(page, '/containers/new');
    await page.getByText('Advanced').click();
    await expect(page.getByLabel(/Privileged/)).toBeDisabled();

    await page.getByLabel('Image', { exact: true }).fill(image);
    await page.getByLabel(/^Network/).first().fill('host');
    await expect(page.getByText(/uses the machine's own network/)).toBeVisible();
    await expect(page.getByRole('button', { name: /^Run/ })).toHaveAttribute('aria-disabled', 'true');
  });
});

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set; \`make test\` or \`scripts/services up\` provides it`);
  return value;
}
