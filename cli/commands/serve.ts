import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { createServer } from '../../server/app.ts';
import { addDevice, listDevices, revokeDevice } from '../../server/devices.ts';
import { openDatabase } from '../../server/storage/database.ts';
import type { Database } from '../../server/storage/sql.ts';

interface ServeOptions {
  port: number;
  host: string;
  data: string;
  dist: string;
  url?: string;
  addDevice?: string;
  listDevices?: boolean;
  revokeDevice?: string;
  log?: boolean;
  json?: boolean;
}

/** How long a client may take to read its last answer when the server stops. */
const CLOSE_MS = 5000;

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const port = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0 || value > 65_535) {
    throw new InvalidArgumentError('Give a port from 0 (any free one) to 65535.');
  }
  return value;
};

/** `bellows serve`: the app and the endpoint its records go to, on one port. */
export function serveCommand(): Command {
  return new Command('serve')
    .description('serve the app and receive its records')
    .option('--port <n>', 'port (environment: PORT)', port, port(process.env.PORT ?? '8080'))
    .option(
      '--host <name>',
      'address to listen on; other devices also need HTTPS in front',
      '127.0.0.1',
    )
    .option('--data <folder>', 'folder of the embedded database', join(root, 'data', 'server'))
    .option('--dist <folder>', 'folder of the built app', join(root, 'dist'))
    .option('--url <url>', 'address that devices use, for enrolment links')
    .option('--add-device <name>', 'enrol a device, print its link once, and end')
    .option('--list-devices', 'list the devices and end')
    .option('--revoke-device <id>', "take away a device's right to send, and end")
    .option('--log', 'log each request')
    .option('--json', 'machine-readable output')
    .addHelpText(
      'after',
      '\nDATABASE_URL names a PostgreSQL server to use instead of the embedded one.',
    )
    .action(run);
}

async function run(options: ServeOptions): Promise<void> {
  const database = await openDatabase(
    process.env.DATABASE_URL ? { url: process.env.DATABASE_URL } : { folder: options.data },
  );
  if (options.addDevice ?? options.listDevices ?? options.revokeDevice) {
    try {
      await administer(database, options);
    } finally {
      await database.close();
    }
    return;
  }

  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const app = await createServer({
    database,
    dist: resolve(options.dist),
    version,
    log: options.log ?? false,
  });
  const url = await app.listen({ port: options.port, host: options.host }).catch(async (error) => {
    await database.close();
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new Error(`Port ${options.port} is taken. Choose another one: bellows serve --port 8081`);
  });

  const first = (await listDevices(database)).length === 0;
  const link = first
    ? enrolmentLink(options.url ?? url, await addDevice(database, 'this computer'))
    : undefined;
  print(options, { url, database: database.description, ...(link && { enrolment: link }) }, [
    `Bellows ${version} is at ${link ?? url}`,
    ...(link ? ['Open this very link once: it lets this computer send its records.'] : []),
    `Records go to ${database.description}. Ctrl-C stops.`,
  ]);

  let closing = false;
  const stop = () => {
    if (closing) return;
    closing = true;
    // Requests under way are answered first; a client that does not read its answer is let go.
    setTimeout(() => app.server.closeAllConnections(), CLOSE_MS).unref();
    app.close().then(
      () => database.close(),
      () => database.close(),
    );
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

async function administer(database: Database, options: ServeOptions): Promise<void> {
  if (options.addDevice) {
    const device = await addDevice(database, options.addDevice);
    const link = enrolmentLink(options.url ?? `http://localhost:${options.port}`, device);
    print(options, { id: device.id, enrolment: link }, [
      `Open this link once on the device "${options.addDevice}" (it is not shown again):`,
      link,
    ]);
  } else if (options.revokeDevice) {
    if (!(await revokeDevice(database, options.revokeDevice))) {
      throw new Error(
        `There is no device ${options.revokeDevice}. List them: bellows serve --list-devices`,
      );
    }
    print(options, { id: options.revokeDevice, revoked: true }, [
      'The device can not send any more.',
    ]);
  } else {
    const devices = await listDevices(database);
    const line = ({ id, name, revokedAt, lastSeenAt }: (typeof devices)[number]) =>
      `${id}  ${name}  ${revokedAt ? 'revoked' : `last seen ${lastSeenAt?.toISOString() ?? 'never'}`}`;
    print(
      options,
      { devices },
      devices.length > 0 ? devices.map(line) : ['No device is enrolled.'],
    );
  }
}

/** The token stands behind the #, which browsers never send to any server. */
function enrolmentLink(url: string, { token }: { token: string }): string {
  return `${url.replace(/\/$/, '')}/#token=${token}`;
}

function print({ json }: ServeOptions, value: object, lines: string[]): void {
  process.stdout.write(json ? `${JSON.stringify(value)}\n` : `${lines.join('\n')}\n`);
}
