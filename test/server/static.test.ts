import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RunningServer, startServer } from './start-server.ts';

let dir: string;
let server: RunningServer;
const script = 'export const answer = 42; // '.repeat(40);

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'bellows-dist-'));
  await mkdir(join(dir, 'dist', 'assets'), { recursive: true });
  const put = (name: string, data: string | Uint8Array) => writeFile(join(dir, 'dist', name), data);
  await put('index.html', '<!doctype html><title>Bellows</title>');
  await put('service-worker.js', '// worker');
  await put('manifest.webmanifest', '{}');
  await put('assets/app-1234.js', script);
  await put('assets/app-1234.js.br', brotliCompressSync(script));
  await put(
    'assets/runtime-1234.wasm',
    Uint8Array.from({ length: 1000 }, (_, i) => i % 256),
  );
  await put('assets/model-1234.onnx', 'model');
  await writeFile(join(dir, 'secret.txt'), 'secret');
  server = await startServer({ dist: join(dir, 'dist') });
});
afterAll(async () => {
  await server.close();
  await rm(dir, { recursive: true });
});

/** Plain HTTP: `fetch` would tidy the path and undo the compression. */
function get(path: string, headers: Record<string, string> = {}) {
  return new Promise<{ status: number; headers: Record<string, string>; body: Buffer }>(
    (resolve, reject) => {
      const { hostname, port } = new URL(server.url);
      request({ hostname, port, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({
            status: response.statusCode!,
            headers: response.headers as Record<string, string>,
            body: Buffer.concat(chunks),
          }),
        );
      })
        .on('error', reject)
        .end();
    },
  );
}

describe('the app’s files', () => {
  it('come isolated, under a strict policy', async () => {
    const { status, headers } = await get('/');
    expect(status).toBe(200);
    expect(headers['cross-origin-opener-policy']).toBe('same-origin');
    expect(headers['cross-origin-embedder-policy']).toBe('require-corp');
    expect(headers['x-content-type-options']).toBe('nosniff');
    const policy = headers['content-security-policy']!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe-inline|unsafe-eval'(?<!wasm-unsafe-eval')|https?:/);
  });

  it.each([
    ['/assets/runtime-1234.wasm', 'application/wasm'],
    ['/assets/app-1234.js', 'javascript'],
    ['/assets/model-1234.onnx', 'octet-stream'],
    ['/manifest.webmanifest', 'manifest+json'],
    ['/', 'text/html'],
  ])('%s has the type %s', async (path, type) => {
    expect((await get(path)).headers['content-type']).toContain(type);
  });

  it('are kept for ever when their name holds a hash, and checked each time otherwise', async () => {
    expect((await get('/assets/app-1234.js')).headers['cache-control']).toContain('immutable');
    for (const path of ['/', '/index.html', '/service-worker.js', '/exams']) {
      expect((await get(path)).headers['cache-control']).toBe('no-cache');
    }
  });

  it('come compressed to those who take it', async () => {
    const { headers, body } = await get('/assets/app-1234.js', { 'accept-encoding': 'br' });
    expect(headers['content-encoding']).toBe('br');
    expect(headers.vary).toMatch(/accept-encoding/i);
    expect(body).toEqual(Buffer.from(brotliCompressSync(script)));
    const plain = await get('/assets/app-1234.js');
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(plain.body.toString()).toBe(script);
  });

  it('can be fetched in part, counted in bytes of the file itself', async () => {
    const { status, headers, body } = await get('/assets/runtime-1234.wasm', {
      range: 'bytes=500-',
      'accept-encoding': 'br, gzip',
    });
    expect(status).toBe(206);
    expect(headers['content-range']).toBe('bytes 500-999/1000');
    expect(headers['content-encoding']).toBeUndefined();
    expect(body[0]).toBe(500 % 256);
    expect(body).toHaveLength(500);
    const script = await get('/assets/app-1234.js', {
      range: 'bytes=0-5',
      'accept-encoding': 'br',
    });
    expect(script.body.toString()).toBe('export');
  });

  it('are never replaced by a page when they are missing', async () => {
    expect((await get('//')).status).toBeLessThan(500);
    for (const path of ['/assets/gone.wasm', '/gone.js', '/model.onnx', '/assets/gone.mjs']) {
      const { status, headers, body } = await get(path);
      expect(status).toBe(404);
      expect(headers['content-type']).toContain('text/plain');
      expect(body.toString()).not.toContain('<');
    }
    expect((await get('/exams/1234')).body.toString()).toContain('<title>Bellows');
  });

  it('do not reach outside their folder', async () => {
    for (const path of ['/../secret.txt', '/assets/..%2f..%2fsecret.txt', '/%2e%2e/secret.txt']) {
      const { status, body } = await get(path);
      expect(status).toBeGreaterThanOrEqual(400);
      expect(body.toString()).not.toContain('secret\n');
      expect(body.toString()).not.toBe('secret');
    }
  });

  it('are asked for with the command that builds them, when they are not there', async () => {
    const bare = await startServer();
    const response = await fetch(bare.url);
    expect(response.status).toBe(503);
    expect(await response.text()).toMatch(/npm run build/);
    await bare.close();
  });
});
