import { choose, expect, install, phantomFile, test } from './app.ts';

const RUNTIME = /^\/assets\/wasm-runtime-/;
const MODEL = /^\/assets\/wasm-model-/;

test('a download that breaks goes on by itself where it stopped', async ({ page, line }) => {
  line.break(RUNTIME, async (_incoming, outgoing, forward) => {
    const { status, headers, body } = await forward();
    outgoing.writeHead(status, headers);
    const part = body.subarray(0, 0.4 * body.length);
    outgoing.write(part, () => setTimeout(() => outgoing.destroy(), 300));
  });
  await page.goto(line.url);
  await expect(page.getByText(/Download paused at [\d.]+ of [\d.]+ MB/)).toBeVisible();
  line.heal();
  await expect(page.getByTestId('offline')).toContainText('Ready offline');
  const ranges = line.requests
    .filter(({ path, headers }) => RUNTIME.test(path) && headers.range)
    .map(({ headers }) => Number(/bytes=(\d+)-/.exec(headers.range!)![1]));
  // Compressed bytes on the way count as what they unpack to.
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

test('two tabs opened at once fetch each large file once', async ({ page, tablet, line }) => {
  const other = await tablet.context.newPage();
  await Promise.all([page.goto(line.url), other.goto(line.url)]);
  for (const tab of [page, other]) {
    await expect(tab.getByTestId('offline')).toContainText('Ready offline');
  }
  // The service worker may be asked again, but answers from its cache.
  for (const file of [RUNTIME, MODEL]) {
    expect(line.requests.filter(({ path }) => file.test(path))).toHaveLength(1);
  }
});

test('a new version waits, and takes over without losing what is open', async ({
  page,
  line,
  folder,
}) => {
  await install(page, line.url);
  await choose(page, await phantomFile(folder));
  await page.getByLabel('Patient reference').fill('K-3');
  // The new version has a new model: the same bytes under another name.
  const [, model] = /\/assets\/wasm-model-(\w+)/.exec(
    line.requests.find(({ path }) => MODEL.test(path))!.path,
  )!;
  const newer = '0'.repeat(model!.length);
  let isModelThere = false;
  let asked = 0;
  line.break(/^\/service-worker\.js|wasm-model-0+/, async (incoming, outgoing, forward) => {
    delete incoming.headers['accept-encoding'];
    if (incoming.url!.includes(newer)) {
      asked++;
      if (!isModelThere) return void outgoing.writeHead(503).end();
      incoming.url = incoming.url!.replace(newer, model!);
    }
    const { status, headers, body } = await forward();
    delete headers['content-length'];
    const isScript = incoming.url!.startsWith('/service-worker.js');
    const text = () => body.toString().replaceAll(`wasm-model-${model!}`, `wasm-model-${newer}`);
    outgoing.writeHead(status, headers).end(isScript ? text() : body);
  });
  const update = () =>
    page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()));
  await update();
  // Without its model it is no new version.
  await expect.poll(() => asked).toBeGreaterThan(0);
  await page.waitForTimeout(500);
  await expect(page.getByText('A new version is ready.')).toBeHidden();
  isModelThere = true;
  await update();
  await expect(page.getByText('A new version is ready.')).toBeVisible();
  await expect(page.getByLabel('Patient reference')).toHaveValue('K-3');
  await page.getByRole('button', { name: 'Update now' }).click();
  await expect(page.getByText('Nothing was lost.')).toBeVisible();
  await expect(page.getByLabel('Patient reference')).toHaveValue('K-3');
  await expect(page.getByText('A new version is ready.')).toBeHidden();
  await expect(page.getByTestId('offline')).toContainText('Ready offline');
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
