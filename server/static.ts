import { existsSync } from 'node:fs';
import { extname, join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

/**
 * What the app may do in the browser: its own scripts, its own workers, its own server. WebAssembly
 * is compiled, never evaluated text.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'self'",
  "frame-ancestors 'none'",
].join('; ');

const HEADERS: Record<string, string> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  // Together they isolate the page, which WASM threads need.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'permissions-policy': 'geolocation=(), microphone=(), payment=(), usb=()',
};

const NOT_BUILT = 'The app is not built yet. Run: npm run build\n';

/**
 * Serves the built app: precompressed files where the client takes them, hashed files for ever,
 * anything else checked each time. Paths of the app's own pages answer with its shell; a path that
 * looks like a file never does, so a missing `.wasm` is a 404 and no HTML in disguise.
 * @param dist folder of the build. It may be missing: the answer then says how to make it.
 */
export async function serveApp(app: FastifyInstance, dist: string): Promise<void> {
  app.addHook('onSend', (_request, reply, _payload, next) => {
    reply.headers(HEADERS);
    next();
  });
  // A range counts bytes of the file itself, so it must not meet a compressed copy.
  app.addHook('onRequest', (request, _reply, next) => {
    if (request.headers.range) delete request.headers['accept-encoding'];
    next();
  });
  const built = existsSync(join(dist, 'index.html'));
  if (built) {
    await app.register(fastifyStatic, {
      root: dist,
      preCompressed: true,
      cacheControl: false,
      setHeaders: (reply, path) => {
        const hashed = path.startsWith(join(dist, 'assets'));
        reply.header('cache-control', hashed ? 'public, max-age=31536000, immutable' : 'no-cache');
      },
    });
  }
  app.setNotFoundHandler((request, reply) => {
    const pathname = request.url.split('?')[0]!;
    const isRead = request.method === 'GET' || request.method === 'HEAD';
    const isPage = isRead && extname(pathname) === '';
    if (!built && isPage) return reply.code(503).type('text/plain').send(NOT_BUILT);
    if (!isPage) return reply.code(404).type('text/plain').send(`There is no ${pathname}\n`);
    return reply.header('cache-control', 'no-cache').sendFile('index.html');
  });
}
