// What `npm start` and `npm test` need, and only what is missing: packages, browser, build.
// Plain JavaScript without dependencies: it runs before anything is installed.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const at = (...parts) => join(root, ...parts);
const modified = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
const say = (text) => process.stderr.write(`${text}\n`);
const run = (command, args, options = {}) =>
  execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options });

/** The newest change below the folders and files a build is made of. */
function newest(paths) {
  let latest = 0;
  for (const path of paths) {
    if (!existsSync(path)) continue;
    const entry = statSync(path);
    latest = Math.max(latest, entry.mtimeMs);
    if (entry.isDirectory())
      latest = Math.max(latest, newest(readdirSync(path).map((name) => join(path, name))));
  }
  return latest;
}

function installPackages() {
  const installed = modified(at('node_modules', '.package-lock.json'));
  if (installed >= modified(at('package-lock.json'))) return;
  say('Installing packages (some minutes the first time)');
  run('npm', ['ci', '--no-audit', '--no-fund']);
}

function buildApp() {
  const built = modified(at('dist', 'index.html'));
  const sources = ['web', 'reader', 'model', 'package-lock.json', 'vite.config.ts'].map((name) =>
    at(name),
  );
  if (built > newest(sources)) return;
  say('Building the app');
  run('npm', ['run', '--silent', 'build']);
}

/** Native TensorFlow makes training fast; where no registry has it, tests that need it are skipped. */
function setUpTensorFlow() {
  try {
    run('npm', ['run', '--silent', 'setup:tensorflow']);
  } catch {
    say('Going on without native TensorFlow: the tests that need it will be skipped.');
  }
}

/** A browser: Chromium of the system, else Playwright's own, else Debian's package. */
function installBrowser() {
  if (
    process.env.CHROMIUM ||
    ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].some(existsSync)
  )
    return;
  say('Installing a browser for the tests');
  try {
    run('npx', ['playwright', 'install', 'chromium']);
  } catch {
    if (!isDebianRoot())
      throw new Error(
        'There is no Chromium, and none can be downloaded. Install it, or name one in CHROMIUM.',
      );
    debian('chromium');
  }
}

/** PostgreSQL for the server's tests, where the machine is ours to install it on. */
function installPostgres() {
  if (process.env.TEST_DATABASE_URL || existsSync('/usr/lib/postgresql') || !isDebianRoot()) return;
  try {
    debian('postgresql');
  } catch {
    say('Going on without PostgreSQL: its tests will be skipped.');
  }
}

const isDebianRoot = () => process.getuid?.() === 0 && existsSync('/usr/bin/apt-get');

function debian(...packages) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  run('apt-get', ['update', '-qq'], { env });
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env });
}

const purpose = process.argv[2];
if (purpose !== 'app' && purpose !== 'test') {
  say('Usage: node cli/prepare.mjs app|test');
  process.exit(2);
}
try {
  installPackages();
  if (purpose === 'test') {
    setUpTensorFlow();
    installBrowser();
    installPostgres();
  }
  buildApp();
} catch (error) {
  say(error.message);
  process.exit(1);
}
