import type { Database } from './sql.ts';

/** The schema, step by step. A step that has shipped is never changed: add one behind it. */
const STEPS: string[][] = [
  [
    `create table device (
      id uuid primary key,
      name text not null,
      token_hash text not null unique,
      created_at timestamptz not null default now(),
      revoked_at timestamptz,
      last_seen_at timestamptz
    )`,
    `create table bundle (
      system text not null,
      value text not null,
      sha256 text not null,
      device uuid not null references device,
      received_at timestamptz not null default now(),
      response jsonb not null,
      primary key (system, value)
    )`,
    `create table resource (
      id uuid primary key,
      type text not null,
      body jsonb not null,
      device uuid not null references device,
      received_at timestamptz not null default now()
    )`,
    `create table identifier (
      type text not null,
      system text not null,
      value text not null,
      resource uuid not null references resource,
      primary key (type, system, value)
    )`,
    `create index identifier_value on identifier (type, value)`,
  ],
];

/** Any number: it names the lock that keeps two starting servers from migrating at once. */
const MIGRATION_LOCK = 7_261_001;

/** Runs the steps this database has not seen, all in one transaction. */
export async function migrate(database: Database): Promise<void> {
  await database.transaction(async (sql) => {
    await sql.query('select pg_advisory_xact_lock($1)', [MIGRATION_LOCK]);
    await sql.query(
      'create table if not exists migration (step int primary key, at timestamptz not null default now())',
    );
    const [row] = await sql.query<{ last: number }>(
      'select coalesce(max(step), 0) as last from migration',
    );
    for (const [index, statements] of STEPS.entries()) {
      const step = index + 1;
      if (step <= row!.last) continue;
      for (const statement of statements) await sql.query(statement);
      await sql.query('insert into migration (step) values ($1)', [step]);
    }
  });
}
