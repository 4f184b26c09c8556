import Fastify, { type FastifyInstance, type FastifyRequest } from 'fastify';
import { type Device, deviceOf } from './devices.ts';
import { FhirError } from './fhir/outcome.ts';
import { fhirRoutes } from './fhir/routes.ts';
import { serveApp } from './static.ts';
import type { Database } from './storage/sql.ts';

export interface ServerOptions {
  database: Database;
  /** Folder of the built app. */
  dist: string;
  version: string;
  /** Log each request as JSON on standard output; off by default. */
  log?: boolean;
}

/** The whole server, not listening yet: `/fhir`, `/api`, and the app on every other path. */
export async function createServer({
  database,
  dist,
  version,
  log = false,
}: ServerOptions): Promise<FastifyInstance> {
  const app = Fastify({
    logger: log && { redact: ['req.headers.authorization'] },
    // A tablet on a slow line needs time; a dead connection must not be kept for ever.
    requestTimeout: 120_000,
    forceCloseConnections: 'idle',
  });

  const authenticate = async (request: FastifyRequest): Promise<Device> => {
    const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
    const device = token ? await deviceOf(database, token) : null;
    if (!device) {
      throw new FhirError(
        401,
        'login',
        'This device is not enrolled here. Open its enrolment link again.',
      );
    }
    if (device.revokedAt) {
      throw new FhirError(
        403,
        'forbidden',
        'This device was taken off the list. Ask for a new enrolment link.',
      );
    }
    return device;
  };

  await app.register(fhirRoutes(database, version, authenticate), { prefix: '/fhir' });
  await app.register(
    (api, _options, done) => {
      api.setErrorHandler((error: Error & { status?: number }, _request, reply) =>
        reply.code(error.status ?? 500).send({ error: error.message }),
      );
      api.addHook('onSend', (_request, reply, _payload, next) => {
        reply.header('cache-control', 'no-store');
        next();
      });
      api.get('/health', async () => {
        await database.query('select 1');
        return { status: 'ok', version };
      });
      /** Whom the server takes the caller for: the app's "connected as". */
      api.get('/device', async (request) => {
        const { id, name } = await authenticate(request);
        return { id, name };
      });
      done();
    },
    { prefix: '/api' },
  );
  await serveApp(app, dist);
  return app;
}
