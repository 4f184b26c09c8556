import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, expect, type Page, test as base } from '@playwright/test';
import { drawPhantom } from '../../reader/phantom.ts';
import { filmJpeg } from '../phantom-files.ts';
import { type RunningServer, startServer } from '../server/start-server.ts';
import { FaultProxy } from './fault-proxy.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const DIST = join(root, 'dist');

const SYSTEM_CHROMIUM = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const executablePath = process.env.CHROMIUM ?? SYSTEM_CHROMIUM.find(existsSync);

const QUIET = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** A WebGPU adapter without a GPU: slow, but right. */
export const SWIFTSHADER = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--disable-vulkan-surface',
];

/** A browser with a profile on disk, which outlives the browser. */
export interface Tablet {
  context: BrowserContext;
  page: Page;
  /** What the page complained about: errors, policy violations, requests to strangers. */
  complaints: string[];
}

/** Opens a browser on a profile. */
export async function openTablet(profile: string, args: string[] = []): Promise<Tablet> {
  const context = await chromium.launchPersistentContext(profile, {
    ...(executablePath && { executablePath }),
    args: [...QUIET, ...args],
    viewport: { width: 1280, height: 800 },
  });
  const complaints: string[] = [];
  context.on('request', (request) => {
    const { hostname, protocol } = new URL(request.url());
    if (protocol.startsWith('http') && hostname !== '127.0.0.1') complaints.push(request.url());
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (/Content Security Policy|Refused to/.test(message.text())) complaints.push(message.text());
  });
  return { context, page, complaints };
}

interface Fixtures {
  folder: string;
  /** Stands before the real server and can break the connection. */
  server: RunningServer;
  line: FaultProxy;
  tablet: Tablet;
  page: Page;
}

export const test = base.extend<Fixtures>({
  // eslint-disable-next-line no-empty-pattern -- Playwright reads the fixtures' names from it.
  folder: async ({}, use) => {
    const folder = await mkdtemp(join(tmpdir(), 'bellows-e2e-'));
    await use(folder);
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  },
  server: async ({ folder }, use) => {
    if (!existsSync(join(DIST, 'index.html'))) throw new Error('Run first: npm run build');
    const server = await startServer({ dist: DIST, folder: join(folder, 'data') });
    await use(server);
    await server.close();
  },
  line: async ({ server }, use) => {
    const line = await FaultProxy.start(server.url);
    await use(line);
    await line.close();
  },
  tablet: async ({ folder }, use) => {
    const tablet = await openTablet(join(folder, 'profile'));
    await use(tablet);
    await tablet.context.close();
  },
  page: async ({ tablet }, use) => {
    await use(tablet.page);
  },
});

export { expect };

/** Opens the enrolment link and waits until films can be read without a network. */
export async function install(page: Page, url: string, token?: string): Promise<void> {
  await page.goto(token ? `${url}/#token=${token}` : url);
  await expect(page.getByTestId('offline')).toContainText('Ready offline', { timeout: 60_000 });
}

/** Hands files to the app as the file picker does. */
export async function choose(page: Page, ...paths: string[]): Promise<void> {
  await page.locator('read-view input[type=file]').setInputFiles(paths.slice(0, 1));
}

/** Waits for the answer and saves the exam. */
export async function save(page: Page, reference = '', note = ''): Promise<void> {
  await expect(page.locator('answer-card')).toBeVisible();
  if (reference) await page.getByLabel('Patient reference').fill(reference);
  if (note) await page.getByLabel('Note').fill(note);
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await expect(page.getByText('Saved on this device.')).toBeVisible();
}

/** Presses "Send now", if the record has not gone by itself meanwhile. */
export async function sendNow(page: Page): Promise<void> {
  const button = page.getByRole('button', { name: 'Send now' });
  await button.click({ timeout: 2000 }).catch(() => {});
}

/** A drawn film as a JPEG file. */
export async function phantomFile(
  folder: string,
  name = 'phantom.jpeg',
  seed = 4,
): Promise<string> {
  const path = join(folder, name);
  const film = drawPhantom({ width: 900, height: 800, seed, consolidation: 0.7 });
  await writeFile(path, await filmJpeg(film));
  return path;
}

const FULL_SIZE = join(root, '..', 'shared', 'data', 'guangzhou-fullsize');

/** A real full-size film where there is one on this machine, else a drawn one of that size. */
export async function fullSizeFilm(folder: string, label: 'NORMAL' | 'PNEUMONIA'): Promise<string> {
  const real = join(FULL_SIZE, label);
  if (existsSync(real)) return join(real, (await readdir(real)).sort()[0]!);
  console.log(`No real films here (${FULL_SIZE}): a drawn phantom takes their place.`);
  const path = join(folder, `phantom-${label}.jpeg`);
  const consolidation = label === 'PNEUMONIA' ? 0.9 : 0;
  const film = drawPhantom({ width: 2000, height: 1800, seed: 2, consolidation });
  await writeFile(path, await filmJpeg(film));
  return path;
}

interface StoredExam {
  id: string;
  createdAt: string;
  fileName: string;
  reading: { probability: number };
}

/** The exams in the device's own database. */
export function storedExams(page: Page) {
  return page.evaluate(
    () =>
      new Promise<StoredExam[]>((resolve, reject) => {
        const opening = indexedDB.open('bellows');
        opening.onerror = () => reject(opening.error);
        opening.onsuccess = () => {
          const all = opening.result.transaction('exams').objectStore('exams').getAll();
          all.onsuccess = () => resolve(all.result);
        };
      }),
  );
}

/** How many resources of each type the server holds. */
export async function stored(server: RunningServer): Promise<Record<string, number>> {
  const rows = await server.database.query<{ type: string; n: number }>(
    'select type, count(*)::int as n from resource group by type',
  );
  return Object.fromEntries(rows.map(({ type, n }) => [type, n]));
}

export { readFile };
