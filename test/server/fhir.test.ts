import type { Bundle, OperationOutcome } from 'fhir/r4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addDevice, listDevices, revokeDevice } from '../../server/devices.ts';
import { openDatabase } from '../../server/storage/database.ts';
import { makeBundle } from './exam.ts';
import { missingPostgres, type PrivatePostgres, startPostgres } from './postgres.ts';
import { type RunningServer, startServer } from './start-server.ts';

describe.each(['embedded', 'server'] as const)('FHIR endpoint on the %s PostgreSQL', (kind) => {
  let server: RunningServer;
  let postgres: PrivatePostgres | undefined;
  const skip = kind === 'server' ? missingPostgres : undefined;

  beforeAll(async () => {
    if (skip) return;
    if (kind === 'server') postgres = await startPostgres();
    server = await startServer(postgres ? { databaseUrl: postgres.url } : {});
  });
  afterAll(async () => {
    await server?.close();
    postgres?.stop();
  });

  const send = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${server.url}/fhir`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${server.token}`,
        'content-type': 'application/fhir+json',
        ...headers,
      },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const get = (path: string) =>
    fetch(`${server.url}/fhir/${path}`, { headers: { authorization: `Bearer ${server.token}` } });
  const count = async (table = 'resource') => {
    const [row] = await server.database.query<{ n: number }>(
      `select count(*)::int as n from ${table}`,
    );
    return row!.n;
  };
  const statuses = (answer: Bundle) => answer.entry!.map(({ response }) => response!.status);
  /** A refusal must be in FHIR's words, with something a person can act on. */
  const refused = async (response: Response, status: number) => {
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toContain('application/fhir+json');
    const outcome = (await response.json()) as OperationOutcome;
    expect(outcome.resourceType).toBe('OperationOutcome');
    expect(outcome.issue[0]!.diagnostics!.length).toBeGreaterThan(10);
    return outcome.issue[0]!.diagnostics!;
  };
  const test = (name: string, run: () => Promise<void>) =>
    it(name, async (context) => {
      if (skip) return context.skip(skip);
      await run();
    });

  test('stores an exam and answers for every entry in order', async () => {
    const bundle = makeBundle();
    const response = await send(bundle);
    expect(response.status).toBe(200);
    const answer = (await response.json()) as Bundle;
    expect(answer).toMatchObject({ resourceType: 'Bundle', type: 'transaction-response' });
    const types = answer.entry!.map(({ response }) => response!.location!.split('/')[0]);
    expect(types).toEqual(bundle.entry!.map(({ resource }) => resource!.resourceType));
    expect(statuses(answer)[0]).toBe('201 Created');

    const location = answer.entry!.at(-1)!.response!.location!.replace('/_history/1', '');
    const report = await (await get(location)).json();
    const [patient] = answer.entry!;
    expect(report).toMatchObject({
      resourceType: 'DiagnosticReport',
      conclusion: 'Fast breathing for two days.',
      subject: { reference: patient!.response!.location!.replace('/_history/1', '') },
    });
    expect(JSON.stringify(report)).not.toContain('urn:uuid');
  });

  test('stores a Bundle once that comes twice, and gives the same places', async () => {
    const bundle = makeBundle();
    const first = (await (await send(bundle)).json()) as Bundle;
    const before = await count();
    const again = (await (await send(bundle)).json()) as Bundle;
    expect(statuses(again)).toEqual(bundle.entry!.map(() => '200 OK'));
    const places = (answer: Bundle) => answer.entry!.map(({ response }) => response!.location);
    expect(places(again)).toEqual(places(first));
    expect(await count()).toBe(before);
  });

  test('stores a Bundle once that comes twenty times at once', async () => {
    const before = await count();
    const bundle = makeBundle({ readBy: { ...reader(), modelSha256: 'b'.repeat(64) } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => send(bundle)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    const places = await Promise.all(
      answers.map(async (answer) =>
        ((await answer.json()) as Bundle).entry!.map(({ response }) => response!.location).join(),
      ),
    );
    expect(new Set(places).size).toBe(1);
    expect((await count()) - before).toBe(4);
  });

  test('stores one patient of whom two exams arrive at once', async () => {
    const before = await count();
    const readBy = { ...reader(), modelSha256: 'c'.repeat(64) };
    const bundles = ['one', 'two'].map(() => makeBundle({ patientReference: 'twin', readBy }));
    const answers = await Promise.all(bundles.map((bundle) => send(bundle)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    // One patient, one model, two observations, two reports.
    expect((await count()) - before).toBe(6);
  });

  test('stores nothing of a Bundle that is half right', async () => {
    const [resources, bundles] = [await count(), await count('bundle')];
    const wrongType = makeBundle();
    wrongType.entry!.at(-1)!.resource = { resourceType: 'Binary', contentType: 'x' };
    expect(await refused(await send(wrongType), 422)).toMatch(/entry\[3\]\.resource/);
    const dangling = makeBundle();
    dangling.entry!.shift();
    expect(await refused(await send(dangling), 422)).toMatch(/points to no entry/);
    const unconditional = makeBundle();
    delete unconditional.entry![0]!.request!.ifNoneExist;
    expect(await refused(await send(unconditional), 422)).toMatch(/ifNoneExist/);
    const unnamed = makeBundle();
    delete unnamed.identifier;
    expect(await refused(await send(unnamed), 422)).toMatch(/Bundle\.identifier/);
    await refused(await send({ ...makeBundle(), type: 'batch' }), 422);
    await refused(await send({ ...makeBundle(), entry: [] }), 422);
    await refused(await send({ resourceType: 'Patient' }), 422);
    await refused(await send('null'), 422);
    expect(await refused(await send(makeBundle({ note: 'a\u0000b' })), 422)).toMatch(/NUL/);
    expect([await count(), await count('bundle')]).toEqual([resources, bundles]);
  });

  test('rolls back what it stored when a later entry collides', async () => {
    const stored = makeBundle();
    await send(stored);
    const before = await count();
    const collision = makeBundle();
    // Its condition looks for one identifier, but it carries one that is taken.
    const report = collision.entry!.at(-1)!.resource as { identifier: unknown };
    report.identifier = (stored.entry!.at(-1)!.resource as { identifier: unknown }).identifier;
    await refused(await send(collision), 409);
    expect(await count()).toBe(before);
  });

  test('refuses what is damaged, of another kind or too large', async () => {
    await refused(await send(JSON.stringify(makeBundle()).slice(0, 900)), 400);
    await refused(await send('{'), 400);
    await refused(await send('hello', { 'content-type': 'text/plain' }), 415);
    await refused(await send(makeBundle({ note: 'x'.repeat(9 * 2 ** 20) })), 413);
  });

  test('lets in enrolled devices only', async () => {
    const bundle = makeBundle();
    await refused(await send(bundle, { authorization: '' }), 401);
    await refused(await send(bundle, { authorization: 'Bearer nonsense' }), 401);
    const { id, token } = await addDevice(server.database, 'lost tablet');
    await revokeDevice(server.database, id);
    await refused(await send(bundle, { authorization: `Bearer ${token}` }), 403);
    const anonymous = await fetch(`${server.url}/fhir/Patient?identifier=a|b`);
    await refused(anonymous, 401);
    const rows = await server.database.query('select token_hash from device where id = $1', [id]);
    expect(JSON.stringify(rows)).not.toContain(token);
    const seen = (await listDevices(server.database)).find(({ name }) => name === 'test tablet');
    expect(seen!.lastSeenAt).not.toBeNull();
  });

  test('tells a device who it is', async () => {
    const ask = (token: string) =>
      fetch(`${server.url}/api/device`, { headers: { authorization: `Bearer ${token}` } });
    expect(await (await ask(server.token)).json()).toMatchObject({ name: 'test tablet' });
    expect((await ask('nonsense')).status).toBe(401);
    const health = await fetch(`${server.url}/api/health`);
    expect(await health.json()).toEqual({ status: 'ok', version: 'test' });
  });

  test('answers 409 to another Bundle under a used identifier, which can then be looked up', async () => {
    const bundle = makeBundle();
    await send(bundle);
    const other = { ...makeBundle(), identifier: bundle.identifier };
    await refused(await send(other), 409);
    const id = bundle.identifier!.value!;
    const found = (await (
      await get(`DiagnosticReport?identifier=${encodeURIComponent(`urn:bellows:exam|${id}`)}`)
    ).json()) as Bundle;
    expect(found).toMatchObject({ type: 'searchset', total: 1 });
    const none = (await (await get('DiagnosticReport?identifier=urn:x|y')).json()) as Bundle;
    expect(none.total).toBe(0);
  });

  test('answers 412 when a condition matches several', async () => {
    const value = crypto.randomUUID();
    for (const system of ['urn:one', 'urn:two']) {
      const bundle = makeBundle({ patientReference: 'x' });
      const entry = bundle.entry![0]!;
      (entry.resource as { identifier: unknown }).identifier = [{ system, value }];
      entry.request!.ifNoneExist = `identifier=${encodeURIComponent(`${system}|${value}`)}`;
      expect((await send(bundle)).status).toBe(200);
    }
    const ambiguous = makeBundle({ patientReference: 'x' });
    ambiguous.entry![0]!.request!.ifNoneExist = `identifier=${value}`;
    expect(await refused(await send(ambiguous), 412)).toMatch(/2 resources of type Patient/);
  });

  test('says what it can, and what is not there', async () => {
    const metadata = await fetch(`${server.url}/fhir/metadata`);
    expect(await metadata.json()).toMatchObject({
      resourceType: 'CapabilityStatement',
      fhirVersion: '4.0.1',
    });
    await refused(await get(`Patient/${crypto.randomUUID()}`), 404);
    await refused(await get('Patient/not-a-uuid'), 404);
    await refused(await get('Patient'), 400);
    await refused(await get('a/b/c/d'), 404);
  });

  if (kind === 'server') {
    test('migrates a new database once when several servers start at once', async () => {
      const name = `fresh_${Date.now()}`;
      await server.database.query(`create database ${name}`);
      const url = new URL(postgres!.url);
      url.pathname = `/${name}`;
      const databases = await Promise.all(
        Array.from({ length: 4 }, () => openDatabase({ url: url.href })),
      );
      const steps = await databases[0]!.query('select step from migration');
      expect(steps).toHaveLength(1);
      await Promise.all(databases.map((database) => database.close()));
    });
  }

  function reader() {
    return {
      engine: 'wasm' as const,
      modelName: 'bellows-test',
      threshold: 0.5,
      appVersion: '0.1.0',
    };
  }
});

describe('openDatabase', () => {
  it('says which server does not answer, without its password', async () => {
    const url = 'postgres://user:secret@127.0.0.1:1/none';
    const error = await openDatabase({ url }).catch((error: Error) => error);
    expect((error as Error).message).toMatch(/127\.0\.0\.1:1 does not answer.*DATABASE_URL/);
    expect((error as Error).message).not.toContain('secret');
  });
});
