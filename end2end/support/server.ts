// The real server binary, on a free port of loopback, with a data folder of its own.

import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const binary = process.env.MUELLE_BINARY ?? join(root, 'target/debug/muelle');
const site = process.env.LEPTOS_SITE_ROOT ?? join(root, 'target/site');

export interface ServerOptions {
  /** Address of the Docker engine, `unix://…`. */
  engine: string;
  /** Further configuration, `MUELLE_SECTION__KEY` to value. */
  environment?: Record<string, string>;
}

export class Server {
  private child: ChildProcess | undefined;
  private output = '';

  private constructor(
    /** Where pages are, without a slash at the end. */
    readonly url: string,
    /** The data folder; it goes when the server is removed. */
    readonly data: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  /** Starts a server on an empty data folder and waits until it is ready. */
  static async start(options: ServerOptions): Promise<Server> {
    const port = await freePort();
    const data = await mkdtemp(join(tmpdir(), 'muelle-data-'));
    const server = new Server(`http://127.0.0.1:${port}`, data, {
      ...process.env,
      MUELLE_SERVER__ADDRESS: `127.0.0.1:${port}`,
      MUELLE_DATA__DIR: data,
      // Browsers of tests ask faster than people do.
      MUELLE_SERVER__CALLS_PER_MINUTE: '0',
      MUELLE_DATABASE__URL: `sqlite:${join(data, 'muelle.db')}`,
      MUELLE_ENGINE__ADDRESS: options.engine,
      LEPTOS_SITE_ROOT: site,
      LEPTOS_HASH_FILES: 'true',
      MUELLE_PROVISIONING__ANSIBLE: process.env.MUELLE_TEST_ANSIBLE ?? '',
      ...options.environment,
    });
    try {
      await server.resume();
    } catch (error) {
      await server.remove();
      throw error;
    }
    return server;
  }

  /** Everything the server has printed so far. */
  get log(): string {
    return this.output;
  }

  /** Starts the process again on the same data, after `stop` or `kill`. */
  async resume(): Promise<void> {
    const child = spawn(binary, ['serve'], { env: this.environment, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (this.output += chunk.toString()));
    child.on('error', (error) => (this.output += String(error)));
    this.child = child;
    for (let tries = 0; tries < 300; tries++) {
      if (child.exitCode !== null) break;
      if (await this.isReady()) return;
      await new Promise((later) => setTimeout(later, 50));
    }
    await this.stop();
    throw new Error(`the server did not become ready:\n${this.output}`);
  }

  /** Asks the process to end, as an administrator would. */
  async stop(): Promise<void> {
    await this.end('SIGTERM');
  }

  /** Ends the process without a word, as a crash would. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** Ends the process and removes its data. */
  async remove(): Promise<void> {
    await this.stop();
    await rm(this.data, { recursive: true, force: true });
  }

  /** The link, printed at the first start, that creates the first administrator. */
  firstAdminLink(): string {
    const link = /https?:\/\/\S*(?:first|setup|invite|token)\S*/.exec(this.output)?.[0];
    if (!link) throw new Error(`the server printed no one-time link:\n${this.output}`);
    return link;
  }

  /** Runs a command of the binary on this server's data, with `input` as its standard input. */
  async command(args: string[], input = ''): Promise<string> {
    const running = promisify(execFile)(binary, args, { env: this.environment });
    running.child.stdin?.end(input);
    return (await running).stdout;
  }

  /** Calls the REST API and fails on any answer but a good one. */
  async api<T>(method: string, path: string, body?: unknown, token?: string): Promise<T> {
    const answer = await fetch(`${this.url}/api/v1/${path}`, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return (text ? JSON.parse(text) : undefined) as T;
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/api/heartbeat`)).ok;
    } catch {
      return false;
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await ended;
    clearTimeout(late);
  }
}

async function freePort(): Promise<number> {
  return new Promise((found, failed) => {
    const probe = createServer();
    probe.once('error', failed);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => (address && typeof address === 'object' ? found(address.port) : failed(new Error('no port'))));
    });
  });
}
