import { choose, expect, install, phantomFile, test } from './app.ts';

const RUNTIME = /^\/assets\/wasm-runtime-/;
const MODEL = /^\/assets\/wasm-model-/;

test('a download that breaks goes on where it stopped', async ({ page, line }) => {
  let kept = 0;
  line.break(RUNTIME, async (_incoming, outgoing, forward) => {
    const { status, headers, body } = await forward();
    outgoing.writeHead(status, headers);
    kept = 0.4 * body.length;
    outgoing.write(body.subarray(0, kept), () => setTimeout(() => outgoing.destroy(), 300));
  });
  await page.goto(line.url);
  await expect(page.getByText(/Download paused at [\d.]+ of [\d.]+ MB/)).toBeVisible();
  line.heal();
  await page.reload();
  await expect(page.getByTestId('offline')).toContainText('Ready offline');
  const ranges = line.requests
    .filter(({ path, headers }) => RUNTIME.test(path) && headers.range)
    .map(({ headers }) => Number(/bytes=(\d+)-/.exec(headers.range!)![1]));
  // Pieces of a mebibyte; compressed bytes on the way count as what they unpack to.
  expect(ranges.length).toBeGreaterThan(0);
  expect(Math.min(...ranges)).toBeGreaterThan(2 ** 20);
});

test('a model that arrives damaged is fetched again, and never used', async ({
  page,
  line,
  folder,
}) => {
  let damaged = 0;
  let always = true;
  line.break(MODEL, async (incoming, outgoing, forward) => {
    delete incoming.headers['accept-encoding'];
    const { status, headers, body } = await forward();
    if (always || damaged === 0) {
      damaged++;
      body[body.length >> 1]! ^= 1;
    }
    outgoing.writeHead(status, headers).end(body);
  });
  await page.goto(line.url);
  await expect(page.getByText(/arrived damaged twice.*Nothing was installed/)).toBeVisible();
  expect(damaged).toBe(2);
  await choose(page, await phantomFile(folder));
  await expect(page.locator('read-view [role=alert]')).toContainText('Films can not be read');
  await expect(page.locator('answer-card')).toHaveCount(0);

  damaged = 0;
  always = false;
  await page.locator('bellows-app .bar').getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByTestId('offline')).toContainText('Ready offline');
  expect(damaged).toBe(1);
});

test('a second visit fetches none of the large files, and the shell is what it should be', async ({
  page,
  line,
}) => {
  await install(page, line.url);
  const large = () => line.requests.filter(({ path }) => /\.(wasm|onnx|mjs)$/.test(path)).length;
  const before = large();
  await page.reload();
  await expect(page.getByTestId('offline')).toContainText('Ready offline');
  expect(large()).toBe(before);

  const cached = await page.evaluate(async () => {
    const names = await caches.keys();
    const lists = await Promise.all(
      names.map(async (name) => (await (await caches.open(name)).keys()).map(({ url }) => url)),
    );
    return lists.flat().map((url) => new URL(url).pathname);
  });
  const hash = /^(\/assets\/.*)-(?:[0-9a-f]{12}|[\w-]{8})(?=\.\w+$)/;
  const kinds = cached.map((path) => path.replace(hash, '$1-HASH')).sort();
  expect(kinds).toEqual(
    [
      '/assets/index-HASH.css',
      '/assets/index-HASH.js',
      '/assets/jpeg-js-HASH.js',
      '/assets/libjpegturbowasm_decode-HASH.wasm',
      '/assets/ort.wasm.min-HASH.js',
      '/assets/ort.webgpu.min-HASH.js',
      '/assets/wasm-glue-HASH.mjs',
      '/assets/wasm-model-HASH.onnx',
      '/assets/wasm-runtime-HASH.wasm',
      '/assets/workbox-window.prod.es5-HASH.js',
      '/assets/worker-HASH.js',
      '/icons/bellows-192.png',
      '/icons/bellows-512.png',
      '/icons/bellows-maskable-512.png',
      '/icons/bellows.svg',
      '/index.html',
      '/manifest.webmanifest',
    ].sort(),
  );
});
