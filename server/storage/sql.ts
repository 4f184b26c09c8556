/** Runs SQL in PostgreSQL's dialect; `$1`, `$2` are the parameters. */
export interface Sql {
  query<Row = Record<string, unknown>>(text: string, parameters?: unknown[]): Promise<Row[]>;
}

/** A PostgreSQL, embedded or a server's: the same SQL runs on both. */
export interface Database extends Sql {
  /** For people: which engine, and where its data are. Never holds a password. */
  readonly description: string;
  /** All of `work` or nothing of it; run again when it collided with another transaction. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}
