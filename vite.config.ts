import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { defineConfig, type Plugin } from 'vite';
import { VitePWA } from 'vite-plugin-pwa';
import { MODEL_FILES } from './reader/contract.ts';

const root = dirname(fileURLToPath(import.meta.url));
const runtime = join(dirname(createRequire(import.meta.url).resolve('onnxruntime-web')), '');
const version = (
  JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
).version;

/** Another model folder can be built in, for trying a retrained one. */
const model = process.env.MODEL_DIR ?? join(root, 'model');

/** What reads films: large, so the app fetches and keeps these itself, apart from the shell. */
const READING_FILES = [
  { role: 'wasm-glue', engine: 'wasm', path: join(runtime, 'ort-wasm-simd-threaded.mjs') },
  { role: 'wasm-runtime', engine: 'wasm', path: join(runtime, 'ort-wasm-simd-threaded.wasm') },
  { role: 'wasm-model', engine: 'wasm', path: join(model, MODEL_FILES.wasm) },
  {
    role: 'webgpu-glue',
    engine: 'webgpu',
    path: join(runtime, 'ort-wasm-simd-threaded.asyncify.mjs'),
  },
  {
    role: 'webgpu-runtime',
    engine: 'webgpu',
    path: join(runtime, 'ort-wasm-simd-threaded.asyncify.wasm'),
  },
  { role: 'webgpu-model', engine: 'webgpu', path: join(model, MODEL_FILES.webgpu) },
];

/**
 * Emits the reading files under names that hold their hash, and lists them with size and SHA-256 in
 * the module `virtual:reading-files`, with the model's card.
 * @param emits false where only the list is wanted: another build emits the files.
 */
function readingFiles(emits = true): Plugin {
  const id = 'virtual:reading-files';
  const files = () =>
    READING_FILES.map(({ role, engine, path }) => {
      if (!existsSync(path)) {
        throw new Error(`${path} is missing. Train and export a model first: see README.md`);
      }
      const source = readFileSync(path);
      const sha256 = createHash('sha256').update(source).digest('hex');
      const fileName = `assets/${role}-${sha256.slice(0, 12)}${extname(path)}`;
      return { role, engine, source, fileName, sha256 };
    });
  return {
    name: 'bellows-reading-files',
    resolveId: (source) => (source === id ? `\0${id}` : undefined),
    load(source) {
      if (source !== `\0${id}`) return undefined;
      const list = files().map(({ role, engine, source, fileName, sha256 }) => ({
        role,
        engine,
        url: `/${fileName}`,
        bytes: source.length,
        sha256,
      }));
      const card = readFileSync(join(model, MODEL_FILES.card), 'utf8');
      return `export const files = ${JSON.stringify(list)};\nexport const card = ${card};`;
    },
    generateBundle() {
      if (!emits) return;
      for (const { fileName, source } of files()) {
        this.emitFile({ type: 'asset', fileName, source });
      }
    },
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const file = files().find(({ fileName }) => request.url?.split('?')[0] === `/${fileName}`);
        if (!file) return next();
        const type = { '.wasm': 'application/wasm', '.mjs': 'text/javascript' }[
          extname(file.fileName)
        ];
        response.setHeader('content-type', type ?? 'application/octet-stream');
        response.end(file.source);
      });
    },
  };
}

const COMPRESSIBLE = /\.(html|js|mjs|css|svg|json|webmanifest|wasm|onnx)$/;

/** Writes `.br` and `.gz` beside every file worth it, so that the server compresses nothing. */
function precompress(): Plugin {
  return {
    name: 'bellows-precompress',
    apply: 'build',
    closeBundle: {
      order: 'post',
      sequential: true,
      async handler() {
        const dist = join(root, 'dist');
        if (!existsSync(join(dist, 'index.html'))) return;
        const names = readdirSync(dist, { recursive: true, encoding: 'utf8' });
        await Promise.all(
          names
            .filter((name) => COMPRESSIBLE.test(name))
            .map(async (name) => {
              const path = join(dist, name);
              const source = readFileSync(path);
              // Quality 11 takes a minute for the runtime and saves 10 % over 7.
              const params = { [constants.BROTLI_PARAM_QUALITY]: source.length > 2 ** 20 ? 7 : 11 };
              const brotli = await promisify(brotliCompress)(source, { params });
              if (brotli.length > source.length * 0.95) return;
              writeFileSync(`${path}.br`, brotli);
              writeFileSync(`${path}.gz`, await promisify(gzip)(source));
            }),
        );
      },
    },
  };
}

export default defineConfig({
  root: join(root, 'web'),
  publicDir: join(root, 'web/public'),
  define: { __VERSION__: JSON.stringify(version) },
  resolve: {
    // The runtime's WASM is one of the reading files; without this it would be emitted twice.
    conditions: ['onnxruntime-web-use-extern-wasm', 'module', 'browser', 'development|production'],
  },
  build: {
    outDir: join(root, 'dist'),
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 800,
  },
  worker: { format: 'es', plugins: () => [readingFiles()] },
  plugins: [
    readingFiles(),
    VitePWA({
      strategies: 'injectManifest',
      srcDir: 'offline',
      filename: 'service-worker.ts',
      registerType: 'prompt',
      injectRegister: false,
      injectManifest: {
        // The shell and the JPEG decoder; the reading files have a cache of their own.
        globPatterns: ['**/*.{html,js,css,svg,png,webmanifest}', 'assets/libjpegturbowasm*.wasm'],
        globIgnores: ['assets/wasm-*', 'assets/webgpu-*', 'screenshots/**'],
        buildPlugins: { vite: [readingFiles(false)] },
      },
      manifest: {
        id: '/',
        name: 'Bellows: second reader for chest films of children',
        short_name: 'Bellows',
        description: 'Reads chest X-rays of children on the device, as a second opinion, offline.',
        start_url: '/',
        scope: '/',
        display: 'standalone',
        background_color: '#0b0d10',
        theme_color: '#0b0d10',
        categories: ['medical', 'health'],
        icons: [
          { src: '/icons/bellows.svg', sizes: 'any', type: 'image/svg+xml' },
          { src: '/icons/bellows-192.png', sizes: '192x192', type: 'image/png' },
          { src: '/icons/bellows-512.png', sizes: '512x512', type: 'image/png' },
          {
            src: '/icons/bellows-maskable-512.png',
            sizes: '512x512',
            type: 'image/png',
            purpose: 'maskable',
          },
        ],
        screenshots: [
          {
            src: '/screenshots/reading-wide.png',
            sizes: '1280x800',
            type: 'image/png',
            form_factor: 'wide',
            label: 'A film and its second reading',
          },
          {
            src: '/screenshots/reading-narrow.png',
            sizes: '800x1280',
            type: 'image/png',
            form_factor: 'narrow',
            label: 'A film and its second reading',
          },
        ],
      },
    }),
    precompress(),
  ],
});
