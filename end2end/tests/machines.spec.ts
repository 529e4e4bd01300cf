// Machines and groups as provisioning sees them: host keys, the check of a connection, facts, the inventory.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import type { Server } from '../support/server.ts';
import { bearer, expect, expectAccessible, ready, test as base } from '../support/test.ts';

interface Kept {
  id: string;
}

const test = base.extend<{ sshd: Sshd }>({
  sshd: async ({}, use) => {
    const sshd = await Sshd.start();
    await use(sshd);
    sshd.remove();
  },
});

async function open(page: Page, address: string): Promise<void> {
  await page.goto(address);
  await ready(page);
}

async function keep(server: Server, plural: string, fields: object): Promise<string> {
  return (await server.api<Kept>('POST', plural, fields, await bearer(server, 'admin'))).id;
}

/** A machine at the server, with a credential that it lets in. */
async function reachable(server: Server, sshd: Sshd, name: string): Promise<string> {
  await keep(server, 'credentials', { name: `key of ${name}`, type: 'ssh_key', secret: sshd.privateKey() });
  return keep(server, 'machines', {
    name,
    type: 'remote',
    ipv4: '127.0.0.1',
    ssh_port: sshd.port,
    ssh_user: userInfo().username,
  });
}

/** A variable of the environment that the script which starts the services sets. */
function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: scripts/services prints it`);
  return value;
}

/** Asks for the key of a machine and approves it, over the API. */
async function trust(server: Server, machine: string): Promise<void> {
  const token = await bearer(server, 'admin');
  const path = `machines/${machine}/host-keys`;
  const { items } = await server.api<{ items: Kept[] }>('POST', `${path}/scan`, {}, token);
  await server.api('POST', `${path}/${items[0]!.id}/approve`, undefined, token);
}

function step(page: Page, name: string) {
  return page.getByRole('list', { name: 'Connection' }).getByRole('listitem').filter({ hasText: name });
}

test('a connection is checked, its key approved on the spot, and checked again', async ({ page, server, sshd }) => {
  const machine = await reachable(server, sshd, 'crane-ssh');
  await open(page, `/machines/${machine}?tab=ssh`);
  await expectAccessible(page);
  await page.getByRole('combobox', { name: 'Credentials' }).fill('key of crane-ssh');
  await page.getByRole('option', { name: 'key of crane-ssh' }).click();
  await page.getByRole('button', { name: 'Check connection' }).click();

  await expect(step(page, 'Host key')).toContainText('nobody has approved');
  await expect(step(page, 'Sign-in')).toContainText('Not tried');
  await page.getByRole('button', { name: 'Approve' }).first().click();
  const question = page.getByRole('dialog', { name: 'Approve this key?' });
  await expect(question).toContainText('crane-ssh');
  await expect(question).toContainText(sshd.fingerprint());
  await expectAccessible(page);
  await question.getByRole('button', { name: 'Approve' }).click();

  await expect(step(page, 'Host key')).toContainText('trusted key', { timeout: 30_000 });
  await expect(step(page, 'Sign-in')).toContainText('Signed in as');
  await expect(step(page, 'Python')).toContainText('Python 3');
  await expect(page.getByText('Trusted', { exact: true })).toBeVisible();
});

test('each step of a check is shown as it ends, and a failure with its remedy', async ({ page, server }) => {
  // A server that lets everybody in and says nothing holds the check at its third step.
  const callers: Socket[] = [];
  const silent = createServer((caller) => callers.push(caller.on('error', () => {})));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const { port } = silent.address() as AddressInfo;
  const machine = await keep(server, 'machines', { name: 'crane-silent', type: 'remote', ipv4: '127.0.0.1', ssh_port: port });
  await open(page, `/machines/${machine}?tab=ssh`);

  await page.getByRole('button', { name: 'Check connection' }).click();
  await expect(step(page, 'Port')).toContainText('answers.');
  await expect(step(page, 'Host key')).toContainText('Under way');
  await expect(step(page, 'Sign-in')).toContainText('To come');
  await expect(page.getByRole('button', { name: 'Checking…' })).toBeVisible();
  await expectAccessible(page);
  silent.close();
  for (const caller of callers) caller.destroy();

  await expect(step(page, 'Host key')).toContainText('Correct the SSH port.', { timeout: 30_000 });
  await expect(step(page, 'Sign-in')).toContainText('Not tried');
  await expect(page.getByText('A step failed; what follows it was not tried.')).toBeVisible();
});

test('another key in place of the trusted one blocks until somebody decides', async ({ page, server, sshd }) => {
  const machine = await reachable(server, sshd, 'crane-changed');
  await trust(server, machine);
  await sshd.setUpAnew();
  await open(page, `/machines/${machine}?tab=ssh`);

  await page.getByRole('button', { name: 'Ask for the key' }).click();
  await expect(page.getByText('The server shows another key than the one that is trusted.')).toBeVisible();
  await expect(page.getByText('Changed', { exact: true })).toBeVisible();
  await expect(page.getByText('Trusted', { exact: true })).toBeVisible();
  await page.getByRole('button', { name: 'Check connection' }).click();
  await expect(step(page, 'Host key')).toContainText(sshd.fingerprint(), { timeout: 30_000 });
  await expect(step(page, 'Sign-in')).toContainText('Not tried');

  await page.getByRole('button', { name: 'Reject' }).first().click();
  await page.getByRole('dialog').getByRole('button', { name: 'Reject' }).click();
  await expect(page.getByText('Rejected', { exact: true })).toBeVisible();
});

test('what a run found out is shown with its machine', async ({ page, server }) => {
  test.setTimeout(120_000);
  const ipv4 = required('MUELLE_TEST_HOSTS').split(',')[0];
  const machine = await keep(server, 'machines', { name: 'crane-facts', type: 'remote', ipv4, ssh_user: 'root' });
  await trust(server, machine);
  const secret = readFileSync(required('MUELLE_TEST_HOST_KEY'), 'utf8');
  const credential = await keep(server, 'credentials', { name: 'key of the hosts', type: 'ssh_key', secret });
  const token = await bearer(server, 'admin');
  const playbook = await keep(server, 'playbooks', { name: 'look at it', content: '- hosts: all\n  tasks: []\n' });
  await open(page, `/machines/${machine}?tab=facts`);
  await expect(page.getByText('No run has gathered facts of this machine yet.')).toBeVisible();

  const options = { credentials: [credential] };
  const asked = { playbook, machines: [machine], options };
  const { job } = await server.api<{ job: { id: string } }>('POST', 'provisioning/runs', asked, token);
  const state = async () =>
    (await server.api<{ run: { state: string } }>('GET', `provisioning/runs/${job.id}`, undefined, token)).run.state;
  await expect.poll(state, { timeout: 50_000 }).toBe('succeeded');

  await expect(page.getByText('Last seen')).toBeVisible({ timeout: 60_000 });
  await expectAccessible(page);
  await expect(page.getByText(/^Debian \d/)).toBeVisible();
  await page.getByRole('button', { name: 'Adopt all' }).click();
  await expect(page.getByText('The record says the same.')).toBeVisible();
});

test('a group shows its inventory with the groups within it', async ({ page, server, guard }) => {
  guard.expects(/422 .*save_record/);
  const machine = await keep(server, 'machines', { name: 'crane-inner', type: 'remote', ipv4: '10.1.0.7' });
  const inner = await keep(server, 'hosts', { name: 'cranes', machines: [machine], variables: 'reach: 40\n' });
  const outer = await keep(server, 'hosts', { name: 'quay', groups: [inner], addresses: ['10.1.0.8'] });
  await open(page, `/hosts/${outer}?tab=inventory`);

  await expect(page.getByText('cranes', { exact: true })).toBeVisible({ timeout: 30_000 });
  await page.getByText('crane-inner', { exact: true }).click();
  await expect(page.getByText('reach', { exact: true })).toBeVisible();
  await expect(page.getByText('10.1.0.8', { exact: true }).first()).toBeVisible();
  await expectAccessible(page);

  await open(page, `/hosts/${inner}/edit`);
  await page.getByRole('combobox', { name: 'Groups within it' }).fill('quay');
  await page.getByRole('option', { name: 'quay' }).click();
  await page.getByRole('button', { name: 'Save' }).click();
  await expect(page.getByText('A group cannot hold itself: cranes → quay → cranes')).toBeVisible();
});

test.describe('a viewer', () => {
  test.use({ as: 'viewer' });

  test('looks and does not act', async ({ page, server, sshd }) => {
    const machine = await reachable(server, sshd, 'crane-viewed');
    await trust(server, machine);
    await open(page, `/machines/${machine}?tab=ssh`);

    await expect(page.getByText(sshd.fingerprint())).toBeVisible();
    for (const name of [/^Check connection/, /^Ask for the key/, /^Withdraw trust/, /^Wake/]) {
      await expect(page.getByRole('button', { name })).toHaveAttribute('aria-disabled', 'true');
    }
  });
});

/** An SSH server on a port of its own, with a key of its own. */
class Sshd {
  private child: ChildProcess | undefined;

  private constructor(
    private readonly folder: string,
    readonly port: number,
  ) {}

  static async start(): Promise<Sshd> {
    const sshd = new Sshd(mkdtempSync(join(tmpdir(), 'sshd-')), await freePort());
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(sshd.folder, 'id')]);
    await sshd.setUpAnew();
    return sshd;
  }

  privateKey(): string {
    return readFileSync(join(this.folder, 'id'), 'utf8');
  }

  fingerprint(): string {
    return execFileSync('ssh-keygen', ['-lf', join(this.folder, 'host')], { encoding: 'utf8' }).split(' ')[1]!;
  }

  /** Starts it with a new key, as if the machine had been set up anew. */
  async setUpAnew(): Promise<void> {
    await this.stop();
    const path = (name: string) => join(this.folder, name);
    rmSync(path('host'), { force: true });
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path('host')]);
    const config = [
      `Port ${this.port}`,
      'ListenAddress 127.0.0.1',
      `HostKey ${path('host')}`,
      `AuthorizedKeysFile ${path('id.pub')}`,
      'PidFile none',
      'StrictModes no',
      'UsePAM no',
      'PasswordAuthentication no',
      'PermitRootLogin yes',
      'Subsystem sftp internal-sftp',
      'LogLevel ERROR',
    ];
    writeFileSync(path('config'), `${config.join('\n')}\n`);
    // Only the root user separates privileges, and needs the folder for it.
    if (userInfo().uid === 0) mkdirSync('/run/sshd', { recursive: true });
    this.child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', path('config')], { stdio: 'ignore' });
    await expect.poll(() => listens(this.port), { message: 'sshd listens', timeout: 30_000 }).toBe(true);
  }

  remove(): void {
    this.child?.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async stop(): Promise<void> {
    const child = this.child;
    if (!child) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
