import { basename, join } from 'node:path';
import { startServer } from '../server/start-server.ts';
import { bellows } from '../cli/run.ts';
import {
  choose,
  DIST,
  expect,
  fullSizeFilm,
  install,
  openTablet,
  save,
  stored,
  storedExams,
  SWIFTSHADER,
  test,
} from './app.ts';

test('a film read offline reaches the server exactly once', async ({ folder }) => {
  const data = join(folder, 'data');
  const profile = join(folder, 'profile');
  const film = await fullSizeFilm(folder, 'PNEUMONIA');
  test.info().annotations.push({ type: 'film', description: basename(film) });
  let server = await startServer({ dist: DIST, folder: data });
  const { url, token } = server;
  const port = Number(new URL(url).port);

  let { context, page, complaints } = await openTablet(profile);
  await install(page, url, token);
  expect(page.url()).not.toContain(token);
  expect(await page.evaluate(() => crossOriginIsolated)).toBe(true);

  // The network goes the moment it says it can do without.
  await context.setOffline(true);
  await server.close();
  await page.reload();
  await expect(page.getByTestId('offline')).toContainText('Ready offline');
  await choose(page, film);
  await expect(page.locator('answer-card')).toContainText('A second reading. You decide.');
  await save(page, 'K-1042', 'Fast breathing');
  await expect(page.getByTestId('unsafe')).toContainText('1 only on this device');
  expect(complaints).toEqual([]);
  await context.close();

  // The tablet is switched off and on again, still without a network.
  ({ context, page, complaints } = await openTablet(profile));
  await context.setOffline(true);
  await page.goto(`${url}/#/exams`);
  const exam = page.locator('exams-view li').first();
  await expect(exam).toContainText('K-1042');
  await expect(exam).toContainText('Waiting');
  await exam.getByRole('link').click();
  await expect(page.locator('exam-view film-viewer [role=img]')).toHaveAttribute(
    'aria-label',
    /[1-9][\d,.]* by/,
  );
  await expect(page.getByText('Fast breathing')).toBeVisible();
  const [record] = await storedExams(page);

  // The network returns.
  server = await startServer({ dist: DIST, folder: data, port });
  await context.setOffline(false);
  await expect(page.getByTestId('sync')).toContainText('On the server as', { timeout: 60_000 });
  await expect(page.getByTestId('unsafe')).toContainText('All sent');
  expect(await stored(server)).toEqual({
    Patient: 1,
    Device: 1,
    Observation: 1,
    DiagnosticReport: 1,
  });
  const query = new URLSearchParams({ identifier: `urn:bellows:exam|${record!.id}` });
  const response = await fetch(`${url}/fhir/DiagnosticReport?${query}`, {
    headers: { authorization: `Bearer ${server.token}` },
  });
  expect(await response.json()).toMatchObject({
    total: 1,
    entry: [{ resource: { conclusion: 'Fast breathing', status: 'preliminary' } }],
  });
  expect(complaints).toEqual([]);
  await context.close();
  await server.close();
});

test('a film has the same probability in Node, on WASM and on WebGPU', async ({
  folder,
  server,
}) => {
  test.setTimeout(240_000);
  const films = [await fullSizeFilm(folder, 'NORMAL'), await fullSizeFilm(folder, 'PNEUMONIA')];
  const model = process.env.MODEL_DIR
    ? ['--model', join(process.env.MODEL_DIR, 'bellows.onnx')]
    : [];
  const { stdout } = await bellows(['read', '--json', ...model, ...films]);
  const inNode = stdout
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { probability: number }).probability);
  expect(inNode).toHaveLength(2);

  for (const engine of ['wasm', 'webgpu'] as const) {
    const { context, page } = await openTablet(
      join(folder, engine),
      engine === 'webgpu' ? SWIFTSHADER : [],
    );
    await page.goto(`${server.url}/?engine=${engine}`);
    const name = engine === 'webgpu' ? 'WebGPU' : 'WASM';
    await expect(page.getByTestId('offline')).toContainText(name, { timeout: 120_000 });
    for (const film of films) {
      await choose(page, film);
      await expect(page.locator('answer-card')).toContainText(name, { timeout: 60_000 });
      await save(page);
    }
    const exams = await storedExams(page);
    const inBrowser = exams
      .sort((a, b) => a.createdAt.localeCompare(b.createdAt))
      .map(({ reading }) => reading.probability);
    for (const [i, probability] of inNode.entries()) {
      expect(Math.abs(inBrowser[i]! - probability), `${engine}, film ${i}`).toBeLessThan(0.01);
    }
    await context.close();
  }
});
