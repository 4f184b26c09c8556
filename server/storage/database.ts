import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import pg from 'pg';
import { migrate } from './migrations.ts';
import type { Database, Sql } from './sql.ts';

/** The database can not be opened: the message says why and what to do. */
export class DatabaseError extends Error {
  override name = 'DatabaseError';
}

/**
 * Opens the database and brings its schema up to date.
 * @param location a PostgreSQL connection string, or the folder of the embedded one.
 * @throws DatabaseError when the server does not answer, or another process has the folder open.
 */
export async function openDatabase(
  location: { url: string } | { folder: string },
): Promise<Database> {
  const database =
    'url' in location ? await openServer(location.url) : await openEmbedded(location.folder);
  try {
    await migrate(database);
  } catch (error) {
    await database.close();
    throw error;
  }
  return database;
}

/** PGlite: PostgreSQL in this process. It has one connection, so transactions come one by one. */
async function openEmbedded(folder: string): Promise<Database> {
  await mkdir(folder, { recursive: true });
  const unlock = await lockFolder(folder);
  const lite = await PGlite.create(join(folder, 'postgres')).catch(async (error: Error) => {
    await unlock();
    throw new DatabaseError(`The database in ${folder} does not open: ${error.message}`);
  });
  return {
    description: `embedded PostgreSQL in ${folder}`,
    query: async <Row>(text: string, parameters?: unknown[]) =>
      (await lite.query<Row>(text, parameters)).rows,
    transaction: (work) =>
      lite.transaction((transaction) =>
        work({
          query: async <Row>(text: string, parameters?: unknown[]) =>
            (await transaction.query<Row>(text, parameters)).rows,
        }),
      ),
    close: async () => {
      await lite.close();
      await unlock();
    },
  };
}

/** Lock files this very process holds. */
const locked = new Set<string>();

/**
 * Two processes in one data folder would destroy it, and PGlite does not look: a lock file holds
 * the owner's process number. One left behind by a crash is taken over.
 */
async function lockFolder(folder: string): Promise<() => Promise<void>> {
  const path = resolve(folder, 'lock');
  // Written first and then put in place in one step: nobody ever reads an empty lock.
  const mine = `${path}.${process.pid}`;
  await writeFile(mine, String(process.pid));
  try {
    for (let attempt = 0; attempt < 2 && !locked.has(path); attempt++) {
      try {
        await link(mine, path);
        locked.add(path);
        return async () => {
          locked.delete(path);
          await rm(path, { force: true });
        };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
        const owner = Number(await readFile(path, 'utf8').catch(() => ''));
        // In a container a restarted server often has the number of the one that crashed.
        if (owner !== process.pid && isAlive(owner)) break;
        await rm(path, { force: true });
      }
    }
  } finally {
    await rm(mine, { force: true });
  }
  throw new DatabaseError(
    `Another Bellows server has ${folder} open. Stop it first, or choose another folder with --data.`,
  );
}

function isAlive(pid: number): boolean {
  if (!pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** PostgreSQL's codes for "run it again": serialization failure, deadlock, unique violation. */
const RETRY = new Set(['40001', '40P01', '23505']);
const ATTEMPTS = 5;

async function openServer(url: string): Promise<Database> {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  // An idle connection that breaks must not end the process; the next query says what is wrong.
  pool.on('error', () => {});
  const host = new URL(url).host || 'local socket';
  try {
    await pool.query('select 1');
  } catch (error) {
    await pool.end();
    throw new DatabaseError(
      `The PostgreSQL server at ${host} does not answer: ${(error as Error).message}. Check DATABASE_URL.`,
    );
  }
  const attempt = async <T>(work: (sql: Sql) => Promise<T>): Promise<T> => {
    const client = await pool.connect();
    try {
      await client.query('begin');
      const result = await work({
        query: async (text, parameters) => (await client.query(text, parameters)).rows as never,
      });
      await client.query('commit');
      return result;
    } catch (error) {
      await client.query('rollback').catch(() => {});
      throw error;
    } finally {
      client.release();
    }
  };
  return {
    description: `PostgreSQL at ${host}`,
    query: async (text, parameters) => (await pool.query(text, parameters)).rows as never,
    transaction: async (work) => {
      for (let tries = 1; ; tries++) {
        try {
          return await attempt(work);
        } catch (error) {
          const { code } = error as { code?: string };
          if (!code || !RETRY.has(code) || tries === ATTEMPTS) throw error;
        }
      }
    },
    close: () => pool.end(),
  };
}
