/**
 * `npm run setup:tensorflow`: native TensorFlow for the trainer where tfjs-node's own download is
 * refused. The C library and its headers come out of a Python wheel (a zip; the Python inside is
 * left alone), the addon is compiled from the sources that the tfjs-node package ships.
 *
 * Everything large stays in the cache folder, so a second run, or another checkout, takes a second.
 * Exit code 0 when tfjs-node works, 1 with the reason when it can not be had.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import yauzl from 'yauzl';
import { createProgress } from '../cli/progress.ts';
import { cacheFolder } from './cache.ts';

/** TensorFlow's C API is stable; this is the version the figures in training/README.md are from. */
const TENSORFLOW = '2.21.0';

/** Which wheel holds the library for this machine: package and platform tag. */
const WHEELS: Record<string, { package: string; platform: RegExp } | undefined> = {
  'linux-x64': { package: 'tensorflow-cpu', platform: /manylinux.*x86_64/ },
  'linux-arm64': { package: 'tensorflow', platform: /manylinux.*aarch64/ },
};

/** What the addon needs of the wheel. */
const WANTED =
  /^tensorflow\/(libtensorflow_(cc|framework)\.so\.2|include\/(tensorflow\/(c|core\/platform|tsl)|tsl|xla\/tsl)\/.*\.h)$/;

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const say = (text: string) => process.stderr.write(`${text}\n`);

/** Something this machine lacks, with what to do about it. */
class SetupError extends Error {
  override name = 'SetupError';
}

async function main(): Promise<void> {
  if (works()) {
    say('tfjs-node works already.');
    return;
  }
  const machine = `${process.platform}-${process.arch}`;
  const wheel = WHEELS[machine];
  if (!wheel) {
    throw new SetupError(
      `There is no recipe for ${machine}. The trainer runs without it, slower, on WASM.`,
    );
  }
  const addonPackage = installPackage();
  const version = (
    JSON.parse(await readFile(join(addonPackage, 'package.json'), 'utf8')) as { version: string }
  ).version;
  const library = await fetchLibrary(wheel, cacheFolder('tensorflow', `${TENSORFLOW}-${machine}`));
  const addon = await compile(
    addonPackage,
    library,
    cacheFolder('tfjs-node', `${version}-${TENSORFLOW}-${machine}`),
  );
  const target = join(addonPackage, 'lib', 'napi-v8', 'tfjs_binding.node');
  await mkdir(dirname(target), { recursive: true });
  await copyFile(addon, target);
  const failure = failureOf();
  if (failure) throw new SetupError(`tfjs-node was built but does not start: ${failure}`);
  say('tfjs-node works.');
}

/** Starts tfjs-node in a process of its own, as the trainer will. */
function failureOf(): string | undefined {
  const script =
    "const {openBackend}=await import('./training/backend.ts');" +
    "const {tf}=await openBackend('tensorflow');tf.add(1,1).dataSync();";
  try {
    execFileSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd: root,
      stdio: 'pipe',
    });
    return undefined;
  } catch (error) {
    const text = String((error as { stderr?: Buffer }).stderr ?? error);
    return /BackendError: (.*)/.exec(text)?.[1] ?? text.trim().split('\n').at(-1);
  }
}

const works = (): boolean => failureOf() === undefined;

/** npm drops an optional package whose install script failed: brings its sources back. */
function installPackage(): string {
  const folder = join(root, 'node_modules', '@tensorflow', 'tfjs-node');
  if (!existsSync(join(folder, 'binding'))) {
    say('Installing the sources of tfjs-node');
    execFileSync('npm', ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: root,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
  if (!existsSync(join(folder, 'binding'))) {
    throw new SetupError('The package @tensorflow/tfjs-node can not be installed. Run: npm ci');
  }
  return folder;
}

/** Downloads the wheel and unpacks library and headers into `folder`, once. */
async function fetchLibrary(
  wheel: { package: string; platform: RegExp },
  folder: string,
): Promise<string> {
  const complete = join(folder, 'complete');
  if (existsSync(complete)) return join(folder, 'tensorflow');
  const index = process.env.PIP_INDEX_URL ?? 'https://pypi.org/simple';
  const listing = `${index.replace(/\/$/, '')}/${wheel.package}/`;
  const response = await fetch(listing, {
    headers: { accept: 'application/vnd.pypi.simple.v1+json' },
    signal: AbortSignal.timeout(60_000),
  }).catch((error: Error) => {
    throw new SetupError(
      `The package index ${new URL(listing).host} does not answer (${error.message}).`,
    );
  });
  if (!response.ok) throw new SetupError(`The package index answered ${response.status}.`);
  const { files } = (await response.json()) as {
    files: { filename: string; url: string; hashes: { sha256?: string } }[];
  };
  const file = files.find(
    ({ filename }) =>
      filename.includes(`-${TENSORFLOW}-`) &&
      filename.endsWith('.whl') &&
      wheel.platform.test(filename),
  );
  if (!file?.hashes.sha256) {
    throw new SetupError(
      `The package index has no ${wheel.package} ${TENSORFLOW} for this machine.`,
    );
  }
  const path = join(folder, 'wheel.zip');
  await download(new URL(file.url, listing), path, file.hashes.sha256);
  say('Unpacking library and headers');
  await unpack(path, folder);
  await rm(path);
  await writeFile(complete, `${file.filename}\n`);
  return join(folder, 'tensorflow');
}

async function download(url: URL, path: string, sha256: string): Promise<void> {
  const response = await fetch(url);
  if (!response.ok || !response.body) {
    throw new SetupError(`The download was refused (${response.status}).`);
  }
  const mebibyte = 2 ** 20;
  const total = Number(response.headers.get('content-length') ?? 0);
  const progress = createProgress('Downloading TensorFlow', Math.round(total / mebibyte), {
    unit: 'MiB',
  });
  const hash = createHash('sha256');
  let bytes = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      progress.update(Math.round(bytes / mebibyte));
      done(null, chunk);
    },
  });
  await pipeline(Readable.fromWeb(response.body as never), meter, createWriteStream(path));
  progress.done();
  if (hash.digest('hex') !== sha256) {
    await rm(path);
    throw new SetupError('The download is damaged (its SHA-256 differs). Run this again.');
  }
}

async function unpack(path: string, folder: string): Promise<void> {
  const zip = await promisify<string, yauzl.Options, yauzl.ZipFile>(yauzl.open)(path, {
    lazyEntries: true,
  });
  await new Promise<void>((resolve, reject) => {
    zip.on('error', reject).on('end', resolve);
    zip.on('entry', (entry: yauzl.Entry) => {
      if (!WANTED.test(entry.fileName)) return zip.readEntry();
      zip.openReadStream(entry, (error, stream) => {
        if (error) return reject(error);
        const target = join(folder, entry.fileName);
        mkdir(dirname(target), { recursive: true })
          .then(() => pipeline(stream, createWriteStream(target)))
          .then(() => zip.readEntry(), reject);
      });
    });
    zip.readEntry();
  });
}

/** Compiles the addon that the tfjs-node package ships as source, once. */
async function compile(addonPackage: string, library: string, folder: string): Promise<string> {
  const addon = join(folder, 'tfjs_binding.node');
  if (existsSync(addon)) return addon;
  const compiler = process.env.CXX ?? 'c++';
  try {
    execFileSync(compiler, ['--version'], { stdio: 'ignore' });
  } catch {
    throw new SetupError(
      `There is no C++ compiler (${compiler}). Install one; on Debian: apt-get install g++`,
    );
  }
  say('Compiling the addon');
  const part = `${addon}.${process.pid}.part`;
  const nodeHeaders = join(root, 'node_modules', 'node-api-headers', 'include');
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'];
  execFileSync(compiler, [
    ...['-std=c++17', '-O2', '-shared', '-fPIC', '-w', '-DNAPI_VERSION=8'],
    ...[addonPackage, join(library, 'include'), nodeHeaders].flatMap((path) => ['-I', path]),
    ...sources.map((name) => join(addonPackage, 'binding', name)),
    ...['libtensorflow_cc.so.2', 'libtensorflow_framework.so.2'].map((name) => join(library, name)),
    `-Wl,-rpath,${library}`,
    ...['-o', part],
  ]);
  await rename(part, addon);
  return addon;
}

main().catch((error: Error) => {
  say(error instanceof SetupError ? error.message : (error.stack ?? String(error)));
  process.exitCode = 1;
});
