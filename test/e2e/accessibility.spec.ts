import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import AxeBuilder from '@axe-core/playwright';
import type { Page } from '@playwright/test';
import { drawPhantom } from '../../reader/phantom.ts';
import { filmJpeg } from '../phantom-files.ts';
import { choose, expect, install, phantomFile, save, test } from './app.ts';

async function check(page: Page, view: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations } = await new AxeBuilder({ page })
      .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
      .analyze();
    const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
    expect(found, `${view}, ${colorScheme}`).toEqual([]);
  }
  const small = await page.evaluate(() => {
    const found: string[] = [];
    const visit = (root: ParentNode) => {
      for (const element of root.querySelectorAll<HTMLElement>('*')) {
        if (element.shadowRoot) visit(element.shadowRoot);
        if (!element.matches('button, a[href], input:not([type=file]), summary')) continue;
        const { width, height } = element.getBoundingClientRect();
        const isShown = element.checkVisibility() && !element.matches('.skip');
        if (isShown && width > 0 && (width < 44 || height < 44)) found.push(element.outerHTML);
      }
    };
    visit(document);
    return found;
  });
  expect(small, `targets under 44 px in ${view}`).toEqual([]);
  const { width, height } = page.viewportSize()!;
  await page.setViewportSize({ width: 360, height: 740 });
  const overflow = await page.evaluate(() => {
    const found: string[] = [];
    const visit = (root: ParentNode) => {
      for (const element of root.querySelectorAll<HTMLElement>('*')) {
        if (element.shadowRoot) visit(element.shadowRoot);
        // A film larger than its stage is what zooming is for.
        if (!element.checkVisibility() || element.matches('canvas, .skip, .visually-hidden'))
          continue;
        const { left, right } = element.getBoundingClientRect();
        if (left < -0.5 || right > innerWidth + 0.5) found.push(element.outerHTML.slice(0, 200));
      }
    };
    visit(document);
    return found;
  });
  expect(overflow, `${view} at 360 px`).toEqual([]);
  await page.setViewportSize({ width, height });
}

test('every view passes WCAG 2.2 AA by axe, in both themes, and fits 360 px', async ({
  page,
  server,
  folder,
}) => {
  await install(page, server.url, server.token);
  await expect(page.getByText('This device is enrolled.')).toBeHidden();
  await check(page, 'empty light box');
  const letter = join(
    folder,
    'a-letter-with-a-rather-long-name-and-no-spaces-in-it-0123456789.jpg',
  );
  await writeFile(letter, 'Dear doctor');
  await choose(page, letter);
  await expect(page.locator('read-view [role=alert]')).toBeVisible();
  await check(page, 'no film');
  const blank = drawPhantom({ width: 200, height: 180, seed: 1, consolidation: 0 });
  const white = join(folder, 'white.jpeg');
  await writeFile(white, await filmJpeg({ ...blank, grey: blank.grey.fill(255) }));
  await choose(page, white);
  await expect(page.locator('answer-card')).toContainText('Not read');
  await check(page, 'refused');
  await page.getByRole('button', { name: 'Discard' }).click();
  await page.goto(`${server.url}/#/exams`);
  await expect(page.getByText('No exams yet')).toBeVisible();
  await check(page, 'empty list');
  await page.goto(`${server.url}/#/read`);
  await choose(page, await phantomFile(folder));
  await expect(page.getByTestId('probability')).toBeVisible();
  await check(page, 'answer');
  await save(page, 'K-1', 'A note');
  await page.goto(`${server.url}/#/exams`);
  await expect(page.locator('exams-view li')).toContainText('Sent');
  await check(page, 'list');
  await page.locator('exams-view li a').click();
  await expect(page.getByTestId('sync')).toBeVisible();
  await check(page, 'exam');
  await page.getByRole('button', { name: 'Delete' }).click();
  await expect(page.getByRole('dialog')).toBeVisible();
  await check(page, 'question');
  await page.keyboard.press('Escape');
  await page.goto(`${server.url}/#/settings`);
  await expect(page.getByTestId('connection')).toContainText('Connected');
  await check(page, 'settings');
});

test('a film is chosen, zoomed, turned to negative, noted and saved with the keyboard alone', async ({
  page,
  server,
  folder,
}) => {
  await install(page, server.url, server.token);
  const tabTo = async (name: string | RegExp) => {
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press('Tab');
      const text = await page.evaluate(() => {
        let active = document.activeElement;
        while (active?.shadowRoot?.activeElement) active = active.shadowRoot.activeElement;
        const labelled = active as HTMLInputElement | null;
        return `${active?.getAttribute('aria-label') ?? ''} ${labelled?.name ?? ''} ${active?.textContent ?? ''}`;
      });
      if (new RegExp(name).test(text)) return;
    }
    throw new Error(`Tab never reaches ${name}`);
  };
  // Asked for early: the browser has to know before the key is pressed.
  const picker = page.waitForEvent('filechooser');
  await tabTo('Choose a film');
  await page.keyboard.press('Enter');
  await (await picker).setFiles(await phantomFile(folder));
  await expect(page.getByTestId('probability')).toBeVisible();
  const transform = () =>
    page
      .locator('film-viewer canvas')
      .evaluate((canvas) => (canvas as HTMLElement).style.transform);
  await tabTo(/Chest film/);
  const before = await transform();
  await page.keyboard.press('+');
  expect(await transform()).not.toBe(before);
  await page.keyboard.press('0');
  expect(await transform()).toBe(before);
  await tabTo('Invert');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Invert' })).toHaveAttribute(
    'aria-pressed',
    'true',
  );
  await tabTo('reference');
  await page.keyboard.type('K-5');
  await tabTo('Save');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Saved on this device.')).toBeVisible();
});

test('the app can be installed', async ({ page, server }) => {
  await install(page, server.url);
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector<HTMLLinkElement>('link[rel=manifest]')!;
    const response = await fetch(link.href);
    return { type: response.headers.get('content-type'), body: await response.json() };
  });
  expect(manifest.type).toContain('application/manifest+json');
  expect(manifest.body).toMatchObject({ display: 'standalone', start_url: '/', id: '/' });
  for (const { src } of [...manifest.body.icons, ...manifest.body.screenshots]) {
    const response = await fetch(server.url + src);
    expect(response.status, src).toBe(200);
    expect(response.headers.get('content-type')).toMatch(/^image\//);
    // An answer nobody reads keeps its connection, and the server, open.
    expect((await response.arrayBuffer()).byteLength).toBeGreaterThan(100);
  }
});
