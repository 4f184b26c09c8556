// `npm test`: lint, types, unit tests, end-to-end tests; one closing line counts them all.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const reports = mkdtempSync(join(tmpdir(), 'bellows-reports-'));
const count = { passed: 0, failed: 0, skipped: 0 };

function run(title, command, args, env = {}) {
  console.log(`\n== ${title}`);
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  return status === 0;
}

/** A check is one test: it passes or it fails. */
function check(title, command, args) {
  count[run(title, command, args) ? 'passed' : 'failed']++;
}

/** Adds a runner's own counts; a runner that leaves no report, or fails without a failed test, counts as one. */
function suite(title, args, env, read) {
  const passed = run(title, 'npx', args, env);
  const failedBefore = count.failed;
  try {
    read();
  } catch (error) {
    console.error(`${title} left no report: ${error.message}`);
    count.failed++;
  }
  if (!passed && count.failed === failedBefore) count.failed++;
}

const json = (name) => JSON.parse(readFileSync(join(reports, name), 'utf8'));

check('Lint and format', 'npm', ['run', '--silent', 'lint']);
check('Types', 'npm', ['run', '--silent', 'types']);

suite(
  'Unit tests',
  [
    'vitest',
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${join(reports, 'unit.json')}`,
  ],
  {},
  () => {
    const report = json('unit.json');
    count.passed += report.numPassedTests;
    count.failed += report.numFailedTests;
    count.skipped += report.numPendingTests + report.numTodoTests;
  },
);

suite(
  'End-to-end tests',
  ['playwright', 'test', '--config', 'test/e2e/playwright.config.ts', '--reporter=list,json'],
  { PLAYWRIGHT_JSON_OUTPUT_NAME: join(reports, 'e2e.json') },
  () => {
    const { stats } = json('e2e.json');
    count.passed += stats.expected + stats.flaky;
    count.failed += stats.unexpected;
    count.skipped += stats.skipped;
  },
);

rmSync(reports, { recursive: true });
const skipped = count.skipped > 0 ? `, ${count.skipped} skipped` : '';
console.log(`\n${count.passed} passed, ${count.failed} failed${skipped}`);
process.exitCode = count.failed > 0 || count.passed === 0 ? 1 : 0;
