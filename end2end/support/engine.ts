// A real Docker engine for one worker, so that its tests may stop it without harming others.

import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const services = fileURLToPath(new URL('../../scripts/services', import.meta.url));

export class Engine {
  private constructor(private readonly folder: string) {}

  static async start(): Promise<Engine> {
    // Under /tmp, because a socket's path may have only 108 letters.
    const engine = new Engine(await mkdtemp('/tmp/muelle-e2e-'));
    await engine.services('engine-up');
    return engine;
  }

  get address(): string {
    return `unix://${this.folder}/engine/docker.sock`;
  }

  /** Runs the docker client, as a colleague would in another terminal; gives what it prints. */
  async docker(...args: string[]): Promise<string> {
    return (await this.services('docker', ...args)).trim();
  }

  /** Ends the daemon; its containers and images stay for the next start. */
  stop = () => this.services('engine', 'stop');
  start = () => this.services('engine', 'start');

  /** The daemon accepts connections and answers nothing, until `thaw`. */
  freeze = () => this.services('engine', 'freeze');
  thaw = () => this.services('engine', 'thaw');

  /** Removes all containers and volumes, and the networks that are not the engine's own. */
  async tidy(): Promise<void> {
    await this.start();
    const containers = (await this.docker('ps', '--all', '--quiet')).split('\n').filter(Boolean);
    if (containers.length > 0) await this.docker('rm', '--force', '--volumes', ...containers);
    await this.docker('network', 'prune', '--force');
    await this.docker('volume', 'prune', '--force');
  }

  remove = () => this.services('down');

  private async services(...args: string[]): Promise<string> {
    const environment = { ...process.env, MUELLE_SERVICES: this.folder };
    return (await run(services, args, { env: environment })).stdout;
  }
}
