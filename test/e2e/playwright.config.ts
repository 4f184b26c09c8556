import { defineConfig } from '@playwright/test';

export default defineConfig({
  testDir: '.',
  // Each test has a server, a browser and a runtime of 14 MB to itself: one at a time.
  workers: 1,
  fullyParallel: false,
  timeout: 90_000,
  expect: { timeout: 30_000 },
  outputDir: '../../test-results',
  reporter: 'list',
  forbidOnly: Boolean(process.env.CI),
});
