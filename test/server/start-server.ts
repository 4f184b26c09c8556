import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer } from '../../server/app.ts';
import { addDevice } from '../../server/devices.ts';
import { openDatabase } from '../../server/storage/database.ts';
import type { Database } from '../../server/storage/sql.ts';

export interface RunningServer {
  url: string;
  /** Of an enrolled device. */
  token: string;
  database: Database;
  /** Stops listening, keeps the database. */
  stop(): Promise<void>;
  close(): Promise<void>;
}

export interface StartOptions {
  /** A PostgreSQL server; the embedded one otherwise. */
  databaseUrl?: string;
  /** Folder of the embedded database; a temporary one otherwise. */
  folder?: string;
  dist?: string;
  port?: number;
}

/** The real server on a port of this machine, with one device enrolled. */
export async function startServer(options: StartOptions = {}): Promise<RunningServer> {
  const temporary = await mkdtemp(join(tmpdir(), 'bellows-server-'));
  const database = await openDatabase(
    options.databaseUrl
      ? { url: options.databaseUrl }
      : { folder: options.folder ?? join(temporary, 'data') },
  );
  const app = await createServer({
    database,
    dist: options.dist ?? join(temporary, 'no-dist'),
    version: 'test',
  });
  const url = await app.listen({ port: options.port ?? 0, host: '127.0.0.1' });
  const { token } = await addDevice(database, 'test tablet');
  return {
    url,
    token,
    database,
    stop: () => app.close(),
    close: async () => {
      await app.close();
      await database.close();
      await rm(temporary, { recursive: true, force: true });
    },
  };
}
