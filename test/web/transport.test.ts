import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { deliver } from '../../web/outbox/transport.ts';
import { makeBundle } from '../server/exam.ts';
import { type RunningServer, startServer } from '../server/start-server.ts';

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse) => void;

let handle: Handler = () => {};
const server = createServer((incoming, outgoing) => handle(incoming, outgoing));

/** `fetch` as the page has it: paths are of its own server. */
const fetchFrom =
  (base: string): typeof fetch =>
  (path, options) =>
    fetch(new URL(path as string, base), options);
const send = (handler: Handler, bundle = makeBundle()) => {
  handle = handler;
  const { port } = server.address() as AddressInfo;
  return deliver(bundle, 'token', fetchFrom(`http://127.0.0.1:${port}`));
};
const reply =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handler =>
  (_incoming, outgoing) =>
    outgoing
      .writeHead(status, { 'content-type': 'application/fhir+json', ...headers })
      .end(typeof body === 'string' ? body : JSON.stringify(body));
const outcome = (...diagnostics: string[]) => ({
  resourceType: 'OperationOutcome',
  issue: diagnostics.map((text) => ({ severity: 'error', code: 'invalid', diagnostics: text })),
});
/** What a right server says to a Bundle of these types. */
const stored = (...types: string[]) => ({
  resourceType: 'Bundle',
  type: 'transaction-response',
  entry: types.map((type) => ({
    response: { status: '201 Created', location: `${type}/${type}-1/_history/1` },
  })),
});
const ALL = ['Patient', 'Device', 'Observation', 'DiagnosticReport'];

beforeAll(() => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve)));
afterAll(() => {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(resolve));
});

describe('an answer counts as stored', () => {
  it('when it speaks of every entry, new or known', async () => {
    const answer = stored(...ALL);
    answer.entry[0]!.response.status = '200 OK';
    expect(await send(reply(200, answer))).toEqual({
      kind: 'acknowledged',
      serverId: 'DiagnosticReport-1',
    });
  });

  it.each([
    ['it speaks of fewer entries', stored(...ALL.slice(1))],
    ['it speaks of more entries', stored(...ALL, 'Media')],
    ['it has no report', stored('Patient', 'Device', 'Observation', 'Observation')],
    ['an entry failed', { ...stored(...ALL.slice(1)), entry: failed() }],
    ['it is another kind of Bundle', { ...stored(...ALL), type: 'searchset' }],
    ['it is a page', '<!doctype html><title>Log in to this network</title>'],
    ['it is empty', ''],
    ['it is cut off', JSON.stringify(stored(...ALL)).slice(0, -20)],
    ['it is JSON of something else', 'null'],
  ])('never when %s', async (_what, body) => {
    expect(await send(reply(200, body))).toMatchObject({ kind: 'retry' });
  });
});

function failed() {
  const { entry } = stored(...ALL);
  entry[2]!.response.status = '422 Unprocessable Entity';
  return entry;
}

describe('a failure', () => {
  it.each([408, 425, 429, 500, 502, 503, 504])('%i is tried again', async (status) => {
    const delivery = await send(reply(status, outcome('Not now.')));
    expect(delivery).toMatchObject({ kind: 'retry' });
    expect(delivery).not.toHaveProperty('afterMs');
  });

  it('that names a time is tried again after it', async () => {
    expect(await send(reply(503, '', { 'retry-after': '7' }))).toMatchObject({ afterMs: 7000 });
    const date = new Date(Date.now() + 60_000).toUTCString();
    const delivery = await send(reply(429, '', { 'retry-after': date }));
    expect((delivery as { afterMs: number }).afterMs).toBeGreaterThan(55_000);
    expect((delivery as { afterMs: number }).afterMs).toBeLessThanOrEqual(60_000);
    expect(await send(reply(503, '', { 'retry-after': 'soon' }))).not.toHaveProperty('afterMs');
  });

  it.each([400, 404, 413, 415, 422])('%i is final, in the words of the server', async (status) => {
    expect(await send(reply(status, outcome('Entry 2 lacks it.', 'Mend it.')))).toEqual({
      kind: 'refused',
      reason: 'Entry 2 lacks it. Mend it.',
    });
    expect(await send(reply(status, '<h1>No</h1>'))).toEqual({
      kind: 'refused',
      reason: `The server answered ${status}.`,
    });
  });

  it.each([401, 403])('%i is about the device, not about the record', async (status) => {
    expect(await send(reply(status, outcome('Not enrolled.')))).toEqual({
      kind: 'unauthorized',
      reason: 'Not enrolled.',
    });
    const wordless = await send(reply(status, ''));
    expect(wordless).toMatchObject({ kind: 'unauthorized' });
    expect((wordless as { reason: string }).reason).toContain(String(status));
  });

  it('of the line is tried again: cut off at once, in the headers, in the body', async () => {
    const cuts: Handler[] = [
      (incoming) => incoming.socket.destroy(),
      (incoming) => incoming.socket.end('HTTP/1.1 200 OK\r\ncontent-le'),
      (incoming, outgoing) => {
        outgoing.writeHead(200, { 'content-length': 1000 });
        outgoing.write('{"resourceType"', () => incoming.socket.destroy());
      },
    ];
    for (const cut of cuts) {
      expect(await send(cut)).toEqual({
        kind: 'retry',
        reason: 'There is no connection to the server.',
      });
    }
  });
});

describe.each([409, 412])('after a conflict (%i) it looks the exam up', (status) => {
  const conflict =
    (found: Handler): Handler =>
    (incoming, outgoing) =>
      incoming.method === 'GET'
        ? found(incoming, outgoing)
        : reply(status, outcome('It is there.'))(incoming, outgoing);
  const searchset = (...ids: string[]) => ({
    resourceType: 'Bundle',
    type: 'searchset',
    entry: ids.map((id) => ({ resource: { resourceType: 'DiagnosticReport', id } })),
  });

  it('by its own identifier, and finds it', async () => {
    const bundle = makeBundle();
    let asked = '';
    const delivery = await send(
      conflict((incoming, outgoing) => {
        asked = new URL(incoming.url!, 'http://x').searchParams.get('identifier')!;
        expect(incoming.headers.authorization).toBe('Bearer token');
        reply(200, searchset('r-1'))(incoming, outgoing);
      }),
      bundle,
    );
    expect(asked).toBe(`urn:bellows:exam|${bundle.identifier!.value}`);
    expect(delivery).toEqual({ kind: 'acknowledged', serverId: 'r-1' });
  });

  it.each([
    ['is refused when it is not there', searchset(), 'refused'],
    ['is refused when it is there twice', searchset('r-1', 'r-2'), 'refused'],
    ['is tried again when the answer is no search', '<html></html>', 'retry'],
  ])('and %s', async (_what, body, kind) => {
    expect(await send(conflict(reply(200, body)))).toMatchObject({ kind });
  });

  it('and is tried again when the look-up fails', async () => {
    expect(await send(conflict(reply(500, '')))).toMatchObject({ kind: 'retry' });
    expect(await send(conflict(({ socket }) => socket.destroy()))).toMatchObject({ kind: 'retry' });
  });
});

describe('with the real server', () => {
  let real: RunningServer;
  beforeAll(async () => {
    real = await startServer();
  });
  afterAll(() => real.close());

  it('a Bundle is stored once however often it is sent, under one name', async () => {
    const bundle = makeBundle();
    const ids = new Set<string>();
    for (let i = 0; i < 3; i++) {
      const delivery = await deliver(bundle, real.token, fetchFrom(real.url));
      expect(delivery.kind).toBe('acknowledged');
      ids.add((delivery as { serverId: string }).serverId);
    }
    expect(ids.size).toBe(1);
    const [row] = await real.database.query<{ n: number }>(
      `select count(*)::int as n from resource where type = 'DiagnosticReport'`,
    );
    expect(row!.n).toBe(1);
  });

  it('an exam that is there under another Bundle has arrived', async () => {
    const bundle = makeBundle();
    await deliver(bundle, real.token, fetchFrom(real.url));
    const changed = { ...bundle, timestamp: '2027-01-01T00:00:00Z' };
    expect(await deliver(changed, real.token, fetchFrom(real.url))).toMatchObject({
      kind: 'acknowledged',
    });
  });
});
