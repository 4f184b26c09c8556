import { createHash, randomUUID } from 'node:crypto';
import type { Bundle, FhirResource } from 'fhir/r4';
import { FhirError } from '../fhir/outcome.ts';
import { type Create, eachReference, type Transaction } from '../fhir/transaction.ts';
import type { Database, Sql } from './sql.ts';

/** A stored resource as the client may see it, with its server id. */
export interface Stored {
  id: string;
  type: string;
  body: FhirResource;
  receivedAt: Date;
}

const COLUMNS = 'resource.id, resource.type, resource.body, resource.received_at as "receivedAt"';

/**
 * Stores a transaction whole or not at all, and once however often it comes: the same Bundle again
 * is answered with the same locations.
 * @returns the transaction-response Bundle, entries in the order of the request's.
 * @throws FhirError 409 for another Bundle under a used identifier, 412 when a condition matches
 *   several resources.
 */
export function storeTransaction(
  database: Database,
  { identifier, creates }: Transaction,
  content: unknown,
  device: string,
): Promise<Bundle> {
  const sha256 = createHash('sha256').update(canonical(content)).digest('hex');
  const key = [identifier.system, identifier.value];
  return database.transaction(async (sql) => {
    await sql.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [key.join('|')]);
    const [known] = await sql.query<{ sha256: string; response: Bundle }>(
      'select sha256, response from bundle where system = $1 and value = $2',
      key,
    );
    if (known) {
      if (known.sha256 === sha256) return repeated(known.response);
      throw new FhirError(
        409,
        'conflict',
        `Another Bundle was stored under the identifier ${identifier.value}. Look up what is there before sending again.`,
      );
    }
    const places = await place(sql, creates);
    const locations = new Map(
      creates.map(({ fullUrl, type }, i) => [fullUrl, `${type}/${places[i]!.id}`]),
    );
    const now = new Date().toISOString();
    const response: Bundle = { resourceType: 'Bundle', type: 'transaction-response', entry: [] };
    for (const [i, create] of creates.entries()) {
      const { id, isNew } = places[i]!;
      if (isNew) await insert(sql, create, id, locations, device);
      response.entry!.push({
        response: {
          status: isNew ? '201 Created' : '200 OK',
          location: `${create.type}/${id}/_history/1`,
          etag: 'W/"1"',
          lastModified: now,
        },
      });
    }
    await sql.query(
      'insert into bundle (system, value, sha256, device, response) values ($1, $2, $3, $4, $5)',
      [...key, sha256, device, JSON.stringify(response)],
    );
    return response;
  });
}

/** Where each entry goes: to the one resource its condition matches, or to a new id. */
async function place(sql: Sql, creates: Create[]): Promise<{ id: string; isNew: boolean }[]> {
  const places: { id: string; isNew: boolean }[] = [];
  for (const { type, condition } of creates) {
    const matches = await find(sql, type, condition);
    if (matches.length > 1) {
      throw new FhirError(
        412,
        'multiple-matches',
        `${matches.length} resources of type ${type} have the identifier ${condition.value}.`,
      );
    }
    places.push(
      matches[0] ? { id: matches[0].id, isNew: false } : { id: randomUUID(), isNew: true },
    );
  }
  return places;
}

async function insert(
  sql: Sql,
  { type, resource, identifiers }: Create,
  id: string,
  locations: Map<string, string>,
  device: string,
): Promise<void> {
  const body = eachReference(resource, (reference) => locations.get(reference) ?? reference);
  await sql.query('insert into resource (id, type, body, device) values ($1, $2, $3, $4)', [
    id,
    type,
    JSON.stringify({ ...body, id }),
    device,
  ]);
  for (const { system, value } of identifiers) {
    await sql.query(
      'insert into identifier (type, system, value, resource) values ($1, $2, $3, $4)',
      [type, system, value, id],
    );
  }
}

/** Resources of a type with an identifier; a null system matches any. */
export function find(
  sql: Sql,
  type: string,
  { system, value }: Create['condition'],
): Promise<Stored[]> {
  return sql.query<Stored>(
    `select distinct ${COLUMNS} from resource
     join identifier on identifier.resource = resource.id
     where identifier.type = $1 and identifier.value = $2 and ($3::text is null or identifier.system = $3)`,
    [type, value, system],
  );
}

/** One resource by type and server id, or null. */
export async function get(sql: Sql, type: string, id: string): Promise<Stored | null> {
  const [row] = await sql.query<Stored>(
    `select ${COLUMNS} from resource where type = $1 and id::text = $2`,
    [type, id],
  );
  return row ?? null;
}

/** The first answer again, with nothing created this time. */
function repeated(response: Bundle): Bundle {
  return {
    ...response,
    entry: response.entry!.map(({ response }) => ({
      response: { ...response!, status: '200 OK' },
    })),
  };
}

/** JSON with sorted keys: the same content gives the same text. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
