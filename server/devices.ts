import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Sql } from './storage/sql.ts';

/** A tablet or computer that may send records. Its token itself is never stored. */
export interface Device {
  id: string;
  name: string;
  createdAt: Date;
  revokedAt: Date | null;
  lastSeenAt: Date | null;
}

const COLUMNS =
  'id, name, created_at as "createdAt", revoked_at as "revokedAt", last_seen_at as "lastSeenAt"';

/** Enrols a device. @returns its token, which can not be shown again. */
export async function addDevice(sql: Sql, name: string): Promise<{ id: string; token: string }> {
  const id = randomUUID();
  const token = randomBytes(32).toString('base64url');
  await sql.query('insert into device (id, name, token_hash) values ($1, $2, $3)', [
    id,
    name,
    hashOf(token),
  ]);
  return { id, token };
}

/** All devices, oldest first. */
export function listDevices(sql: Sql): Promise<Device[]> {
  return sql.query<Device>(`select ${COLUMNS} from device order by created_at, id`);
}

/** Takes a device's right to send away; what it sent stays. @returns false when there is none. */
export async function revokeDevice(sql: Sql, id: string): Promise<boolean> {
  const rows = await sql.query(
    'update device set revoked_at = coalesce(revoked_at, now()) where id::text = $1 returning id',
    [id],
  );
  return rows.length > 0;
}

/** Whose token this is, or null when it is nobody's. Notes that the device was seen. */
export async function deviceOf(sql: Sql, token: string): Promise<Device | null> {
  const [device] = await sql.query<Device>(
    `update device set last_seen_at = now() where token_hash = $1 returning ${COLUMNS}`,
    [hashOf(token)],
  );
  return device ?? null;
}

/** Tokens hold 256 random bits, so a plain hash is enough: there is nothing to guess. */
function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
