import type { Bundle, CapabilityStatement } from 'fhir/r4';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Device } from '../devices.ts';
import type { Database } from '../storage/sql.ts';
import { find, get, type Stored, storeTransaction } from '../storage/records.ts';
import { FhirError } from './outcome.ts';
import { parseCondition, parseTransaction, TYPES } from './transaction.ts';

const FHIR_JSON = 'application/fhir+json; charset=utf-8';

/** Largest Bundle accepted, in bytes: an exam with a film beside it stays under it. */
const BODY_LIMIT = 8 * 2 ** 20;

/**
 * The FHIR R4 endpoint: transactions in, single resources and searches by identifier out.
 * @param authenticate gives the sender's device or throws a FhirError 401 or 403.
 */
export function fhirRoutes(
  database: Database,
  version: string,
  authenticate: (request: FastifyRequest) => Promise<Device>,
) {
  return (app: FastifyInstance, _options: object, done: () => void): void => {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser(
      ['application/fhir+json', 'application/json'],
      { parseAs: 'string', bodyLimit: BODY_LIMIT },
      (_request, text, parsed) => {
        try {
          parsed(null, JSON.parse(text as string));
        } catch {
          parsed(
            new FhirError(400, 'structure', 'The body is no JSON: it is damaged or was cut off.'),
          );
        }
      },
    );
    app.addHook('onSend', (_request, reply, _payload, next) => {
      reply.header('content-type', FHIR_JSON).header('cache-control', 'no-store');
      next();
    });
    app.setErrorHandler((error: Error & { statusCode?: number; code?: string }, request, reply) => {
      const problem = asFhirError(error);
      if (problem.status >= 500) request.log.error(error);
      return reply.code(problem.status).send(problem.outcome);
    });
    app.setNotFoundHandler((request) => {
      throw new FhirError(
        404,
        'not-found',
        `There is nothing at ${request.method} ${request.url}.`,
      );
    });

    app.get('/metadata', () => capabilities(version));

    app.post('/', { bodyLimit: BODY_LIMIT }, async (request) => {
      const device = await authenticate(request);
      return storeTransaction(database, parseTransaction(request.body), request.body, device.id);
    });

    app.get<{ Params: { type: string; id: string } }>('/:type/:id', async (request) => {
      await authenticate(request);
      const { type, id } = request.params;
      const stored = await get(database, type, id);
      if (!stored) throw new FhirError(404, 'not-found', `There is no ${type}/${id}.`);
      return withMeta(stored);
    });

    app.get<{ Params: { type: string }; Querystring: { identifier?: string } }>(
      '/:type',
      async (request) => {
        await authenticate(request);
        const { type } = request.params;
        const token = request.query.identifier;
        const condition = token
          ? parseCondition(new URLSearchParams({ identifier: token }).toString())
          : null;
        if (!condition) {
          throw new FhirError(
            400,
            'not-supported',
            'Search by identifier only: ?identifier=system|value',
          );
        }
        const matches = await find(database, type, condition);
        return {
          resourceType: 'Bundle',
          type: 'searchset',
          total: matches.length,
          entry: matches.map((stored) => ({
            fullUrl: `${type}/${stored.id}`,
            resource: withMeta(stored),
            search: { mode: 'match' },
          })),
        } satisfies Bundle;
      },
    );
    done();
  };
}

function withMeta({ body, receivedAt }: Stored) {
  return { ...body, meta: { versionId: '1', lastUpdated: new Date(receivedAt).toISOString() } };
}

/** What went wrong, in FHIR's words; anything unforeseen is a 500 that gives nothing away. */
function asFhirError(error: Error & { statusCode?: number; code?: string }): FhirError {
  if (error instanceof FhirError) return error;
  if (error.statusCode === 413) {
    const limit = `${BODY_LIMIT / 2 ** 20} MiB`;
    return new FhirError(413, 'too-long', `The Bundle is larger than ${limit}.`);
  }
  if (error.statusCode === 415) {
    return new FhirError(415, 'not-supported', 'Send application/fhir+json.');
  }
  if (error.statusCode && error.statusCode < 500) {
    return new FhirError(error.statusCode, 'invalid', error.message);
  }
  if (error.code === '23505') {
    return new FhirError(
      409,
      'duplicate',
      'A resource with one of these identifiers is stored already.',
    );
  }
  return new FhirError(
    500,
    'exception',
    'The server failed. Nothing of this Bundle was stored; send it again later.',
  );
}

function capabilities(version: string): CapabilityStatement {
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2026-11-23',
    kind: 'instance',
    software: { name: 'Bellows', version },
    implementation: { description: 'Receives second readings of chest X-rays' },
    fhirVersion: '4.0.1',
    format: ['application/fhir+json'],
    rest: [
      {
        mode: 'server',
        interaction: [{ code: 'transaction' }],
        resource: TYPES.map((type) => ({
          type,
          interaction: [{ code: 'read' }, { code: 'search-type' }],
          conditionalCreate: true,
          searchParam: [{ name: 'identifier', type: 'token' }],
        })),
      },
    ],
  };
}
