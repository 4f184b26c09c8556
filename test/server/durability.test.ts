import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bundle } from 'fhir/r4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDatabase } from '../../server/storage/database.ts';
import { bellows } from '../cli/run.ts';
import { makeBundle } from './exam.ts';
import { freePort } from './postgres.ts';

const BIN = fileURLToPath(new URL('../../cli/bin.mjs', import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-durability-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const env = { ...process.env, DATABASE_URL: '' };

/** The real command, listening. */
async function serve(data: string): Promise<{ url: string; token?: string; child: ChildProcess }> {
  const args = ['serve', '--port', '0', '--data', data, '--json'];
  const child = spawn(process.execPath, [BIN, ...args], { env });
  const line = await new Promise<string>((resolve, reject) => {
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      if (output.includes('\n')) resolve(output);
    });
    child.on('exit', (code) => reject(new Error(`The server ended with ${code}.`)));
  });
  const { url, enrolment } = JSON.parse(line) as { url: string; enrolment?: string };
  return { url, child, ...(enrolment && { token: enrolment.split('#token=')[1]! }) };
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    child.on('exit', (code) => resolve(code));
    child.kill(signal);
  });
}

const post = (url: string, token: string, bundle: Bundle) =>
  fetch(`${url}/fhir`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/fhir+json' },
    body: JSON.stringify(bundle),
  });

async function reportsOf(url: string, token: string, bundle: Bundle): Promise<number> {
  const query = new URLSearchParams({ identifier: `urn:bellows:exam|${bundle.identifier!.value}` });
  const response = await fetch(`${url}/fhir/DiagnosticReport?${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return ((await response.json()) as Bundle).total!;
}

describe('openDatabase', () => {
  it('takes over a lock that a killed server left under our own number, and none that is held', async () => {
    const folder = join(dir, 'container');
    await mkdir(folder);
    await writeFile(join(folder, 'lock'), String(process.pid));
    const database = await openDatabase({ folder });
    await expect(openDatabase({ folder })).rejects.toThrow(/Another Bellows server/);
    await database.close();
    await (await openDatabase({ folder })).close();
  });
});

describe('bellows serve', () => {
  it('keeps every acknowledged Bundle, once, when it is killed in mid-load', async () => {
    const data = join(dir, 'killed');
    const first = await serve(data);
    const token = first.token!;
    const bundles = Array.from({ length: 60 }, () => makeBundle());
    const acknowledged = new Set<Bundle>();
    const load = bundles.map(async (bundle, i) => {
      await new Promise((resolve) => setTimeout(resolve, i * 15));
      const response = await post(first.url, token, bundle).catch(() => null);
      const text = await response?.text().catch(() => null);
      if (response?.status === 200 && text) acknowledged.add(bundle);
    });
    while (acknowledged.size < 15) await new Promise((resolve) => setTimeout(resolve, 5));
    await end(first.child, 'SIGKILL');
    await Promise.all(load);
    expect(acknowledged.size).toBeGreaterThanOrEqual(15);
    expect(acknowledged.size).toBeLessThan(60);

    const second = await serve(data);
    for (const bundle of acknowledged) {
      expect(await reportsOf(second.url, token, bundle)).toBe(1);
    }
    // The tablets send everything again; nothing is there twice.
    for (const bundle of bundles) {
      expect((await post(second.url, token, bundle)).status).toBe(200);
      expect(await reportsOf(second.url, token, bundle)).toBe(1);
    }
    expect(await end(second.child, 'SIGTERM')).toBe(0);

    const third = await serve(data);
    expect(await reportsOf(third.url, token, bundles[59]!)).toBe(1);
    expect(third.token).toBeUndefined();
    await end(third.child, 'SIGTERM');
  });

  it('refuses a folder that another server has open, and a port that is taken', async () => {
    const { url, child } = await serve(join(dir, 'shared'));
    const folder = await bellows(['serve', '--port', '0', '--data', join(dir, 'shared')], env);
    expect(folder.code).toBe(1);
    expect(folder.stderr).toMatch(/Another Bellows server has .* open/);
    const { port } = new URL(url);
    const taken = await bellows(['serve', '--port', port, '--data', join(dir, 'other')], env);
    expect(taken.code).toBe(1);
    expect(taken.stderr).toMatch(/Port \d+ is taken/);
    expect((await bellows(['serve', '--port', 'many'], env)).code).toBe(2);
    await end(child, 'SIGTERM');
  });

  it('enrols, lists and revokes devices', async () => {
    const data = ['--data', join(dir, 'devices')];
    const added = await bellows(['serve', '--add-device', 'clinic 1', '--json', ...data], env);
    const { id, enrolment } = JSON.parse(added.stdout) as { id: string; enrolment: string };
    expect(enrolment).toMatch(/#token=[\w-]{43}$/);
    const revoked = await bellows(['serve', '--revoke-device', id, ...data], env);
    expect(revoked.code).toBe(0);
    const list = await bellows(['serve', '--list-devices', ...data], env);
    expect(list.stdout).toMatch(new RegExp(`${id} {2}clinic 1 {2}revoked`));
    const unknown = await bellows(['serve', '--revoke-device', 'nobody', ...data], env);
    expect(unknown.code).toBe(1);
    expect(unknown.stderr).toMatch(/There is no device nobody/);
  });

  it('says what to do when PostgreSQL does not answer', async () => {
    const DATABASE_URL = `postgres://bellows@127.0.0.1:${await freePort()}/none`;
    const { code, stderr } = await bellows(['serve', '--port', '0'], { ...env, DATABASE_URL });
    expect(code).toBe(1);
    expect(stderr).toMatch(/does not answer.*Check DATABASE_URL/);
  });
});
