import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { drawPhantom } from '../../reader/phantom.ts';
import { encodeJpeg, filmJpeg } from '../phantom-files.ts';
import { choose, expect, install, phantomFile, readFile, save, storedExams, test } from './app.ts';

/** A JPEG whose header promises 30,000 x 30,000 pixels. */
async function hugeJpeg(): Promise<Uint8Array> {
  const bytes = await filmJpeg(drawPhantom({ width: 80, height: 70, seed: 1, consolidation: 0 }));
  const frame = bytes.findIndex((byte, i) => byte === 0xff && /^c[02]$/.test(hex(bytes[i + 1]!)));
  for (const [i, byte] of [0x75, 0x30, 0x75, 0x30].entries()) bytes[frame + 5 + i] = byte;
  return bytes;
}

/** The note of the draft on the disk. */
const draftNote = (page: Page) =>
  page.evaluate(
    () =>
      new Promise<string | undefined>((resolve) => {
        indexedDB.open('bellows').onsuccess = (event) => {
          const { result } = event.target as IDBOpenDBRequest;
          const draft = result.transaction('draft').objectStore('draft').get('current');
          draft.onsuccess = () => resolve(draft.result?.note);
        };
      }),
  );

const hex = (byte: number) => byte.toString(16);

async function colourJpeg(): Promise<Uint8Array> {
  const [width, height] = [400, 300];
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const x = Math.floor(i / 3) % width;
    return [x / 2, 200 - x / 3, 90][i % 3]! + ((i * 7) % 31);
  });
  return encodeJpeg({ width, height, channels: 3, data });
}

test('a file that is no film is refused in words, and the next film is read', async ({
  page,
  server,
  folder,
}) => {
  const good = await phantomFile(folder);
  const bytes = await readFile(good);
  const files: [string, Uint8Array | string, RegExp][] = [
    ['letter.jpg', 'Dear doctor, here is the film.', /not a picture/],
    ['empty.jpg', '', /empty/],
    ['cut.jpg', bytes.subarray(0, bytes.length / 2), /cut off/],
    ['huge.jpg', await hugeJpeg(), /too large/],
    ['moving.gif', 'GIF89a\u0001\u0000\u0001\u0000', /Save it as JPEG or PNG/],
  ];
  await install(page, server.url);
  for (const [name, content, words] of files) {
    const path = join(folder, name);
    await writeFile(path, content);
    await choose(page, path);
    const alert = page.locator('read-view [role=alert]');
    await expect(alert).toContainText('This file can not be read');
    await expect(alert).toContainText(name);
    await expect(alert).toContainText(words);
    await expect(alert).toContainText('Your file was not changed.');
  }

  const colour = join(folder, 'holiday.jpg');
  await writeFile(colour, await colourJpeg());
  await choose(page, colour);
  await expect(page.locator('answer-card')).toContainText('Not read');
  await expect(page.locator('answer-card')).toContainText('This is a colour picture');
  await expect(page.locator('answer-card')).toContainText('A second reading. You decide.');

  await choose(page, good);
  await expect(page.getByTestId('probability')).toBeVisible();
});

test('a film is dropped or pasted, and a second one takes its place while it is read', async ({
  page,
  server,
  folder,
}) => {
  await install(page, server.url);
  const film = [...(await readFile(await phantomFile(folder)))];
  for (const type of ['drop', 'paste'] as const) {
    await page.evaluate(
      ([type, bytes]) => {
        const data = new DataTransfer();
        for (const name of ['one.jpeg', 'two.jpeg']) {
          data.items.add(new File([Uint8Array.from(bytes)], `${type}-${name}`));
        }
        const event =
          type === 'drop'
            ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
            : new ClipboardEvent('paste', { clipboardData: data, bubbles: true });
        window.dispatchEvent(event);
      },
      [type, film] as const,
    );
    await expect(page.getByText('One film at a time')).toBeVisible();
    await expect(page.locator('film-viewer [role=img]')).toHaveAttribute(
      'aria-label',
      new RegExp(`${type}-one.jpeg`),
    );
    await expect(page.getByTestId('probability')).toBeVisible();
  }
  const [first, second] = [
    await phantomFile(folder, 'first.jpeg', 8),
    await phantomFile(folder, 'second.jpeg', 9),
  ];
  await choose(page, first);
  await choose(page, second);
  await save(page, 'K-2');
  expect((await storedExams(page)).map(({ fileName }) => fileName)).toEqual(['second.jpeg']);
});

test('a film replaced by mistake comes back with what was typed', async ({
  page,
  server,
  folder,
}) => {
  await install(page, server.url);
  await choose(page, await phantomFile(folder));
  await page.getByLabel('Patient reference').fill('K-8');
  const letter = join(folder, 'letter.jpg');
  await writeFile(letter, 'Dear doctor');
  await choose(page, letter);
  await expect(page.locator('read-view [role=alert]')).toContainText('letter.jpg');
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByLabel('Patient reference')).toHaveValue('K-8');
  await expect(page.locator('film-viewer [role=img]')).toHaveAttribute('aria-label', /phantom/);
  await page.reload();
  await expect(page.getByLabel('Patient reference')).toHaveValue('K-8');
});

test('an exam is never shown with the film of another', async ({ page, server, folder }) => {
  await install(page, server.url);
  for (const [name, seed] of [
    ['first.jpeg', 8],
    ['second.jpeg', 9],
  ] as const) {
    await choose(page, await phantomFile(folder, name, seed));
    await save(page, name);
  }
  const pixels = async (name: string) => {
    const exam = (await storedExams(page)).find(({ fileName }) => fileName === name)!;
    // By the address, as the browser's Back does: the view stays, its exam changes.
    await page.evaluate((id) => (location.hash = `#/exams/${id}`), exam.id);
    const view = page.locator('exam-view');
    await expect(view.getByRole('heading', { name })).toBeVisible();
    await expect(view.getByRole('img')).toHaveAttribute('aria-label', /900 by 800/);
    return view.locator('film-viewer canvas').evaluate((element) => {
      const canvas = element as HTMLCanvasElement;
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
      return data.reduce((sum, value) => sum + value, 0);
    });
  };
  const [first, second] = [await pixels('first.jpeg'), await pixels('second.jpeg')];
  expect(second).not.toBe(first);
  expect(await pixels('first.jpeg')).toBe(first);
});

test('what is not saved yet survives a reload; what is closed or deleted comes back', async ({
  page,
  server,
  folder,
}) => {
  await install(page, server.url);
  await choose(page, await phantomFile(folder));
  await expect(page.getByTestId('probability')).toBeVisible();
  await page.getByLabel('Patient reference').fill('K-7');
  await page.getByLabel('Note').fill('Cough');
  await expect.poll(() => draftNote(page)).toBe('Cough');
  await page.reload();
  await expect(page.getByText('Nothing was lost.')).toBeVisible();
  await expect(page.getByLabel('Patient reference')).toHaveValue('K-7');
  await expect(page.getByLabel('Note')).toHaveValue('Cough');

  await page.getByRole('button', { name: 'Discard' }).click();
  await expect(page.getByText('Choose a chest film')).toBeVisible();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByLabel('Patient reference')).toHaveValue('K-7');
  await save(page);

  await page.goto(`${server.url}/#/exams`);
  await page.locator('exams-view li a').first().click();
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByText('This exam has NOT been sent.')).toBeVisible();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await expect(page.getByTestId('sync')).toBeVisible();
  await page.getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('button', { name: 'Delete the unsent exam' }).click();
  await expect(page.getByText('No exams yet')).toBeVisible();
  await page.getByRole('button', { name: 'Undo' }).click();
  await expect(page.locator('exams-view li')).toContainText('K-7');
  await page.reload();
  await expect(page.locator('exams-view li')).toContainText('K-7');
});

test('records can be taken out as a table and as FHIR', async ({ page, server, folder }) => {
  await install(page, server.url, server.token);
  await choose(page, await phantomFile(folder));
  await save(page, 'K-9', 'quoted "note"');
  await page.goto(`${server.url}/#/exams`);
  await expect(page.locator('exams-view li')).toContainText('Sent');
  const take = async (name: string) => {
    await page.locator('summary').click();
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name }).click(),
    ]);
    await page.locator('summary').click();
    return readFile(await download.path(), 'utf8');
  };
  const table = await take('Table (CSV)');
  expect(table).toMatch(/K-9,.*,acknowledged,/s);
  expect(table).toContain('"quoted ""note"""');
  const bundle = JSON.parse(await take('Records (FHIR NDJSON)')) as { type: string };
  expect(bundle.type).toBe('transaction');
});
