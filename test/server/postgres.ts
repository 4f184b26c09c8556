import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface PrivatePostgres {
  url: string;
  stop(): void;
}

/** Debian's PostgreSQL programs, or null where there is none. */
function programs(): string | null {
  const base = '/usr/lib/postgresql';
  if (!existsSync(base)) return null;
  const newest = readdirSync(base).sort((a, b) => Number(b) - Number(a))[0];
  return newest && existsSync(join(base, newest, 'bin', 'initdb'))
    ? join(base, newest, 'bin')
    : null;
}

/** Why there is no PostgreSQL to test with; undefined when there is. */
export const missingPostgres =
  process.env.TEST_DATABASE_URL || programs()
    ? undefined
    : 'no PostgreSQL here: install the package postgresql, or set TEST_DATABASE_URL';

/** A PostgreSQL server of our own, in a temporary folder, gone afterwards. */
export async function startPostgres(): Promise<PrivatePostgres> {
  const given = process.env.TEST_DATABASE_URL;
  if (given) return { url: given, stop: () => {} };
  const bin = programs()!;
  const folder = mkdtempSync(join(tmpdir(), 'bellows-postgres-'));
  const isRoot = process.getuid?.() === 0;
  // PostgreSQL refuses to run as root; Debian's package has made a user for it.
  const run = (program: string, args: string[]) => {
    const [command, ...rest] = isRoot
      ? ['runuser', '-u', 'postgres', '--', join(bin, program), ...args]
      : [join(bin, program), ...args];
    execFileSync(command!, rest, { stdio: 'ignore', cwd: folder });
  };
  chmodSync(folder, 0o777);
  const data = join(folder, 'data');
  run('initdb', ['-D', data, '-U', 'bellows', '--auth=trust', '-E', 'UTF8']);
  const port = await freePort();
  const options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`;
  run('pg_ctl', ['-D', data, '-w', '-l', join(folder, 'log'), '-o', options, 'start']);
  return {
    url: `postgres://bellows@127.0.0.1:${port}/postgres`,
    stop: () => {
      run('pg_ctl', ['-D', data, '-w', '-m', 'immediate', 'stop']);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
