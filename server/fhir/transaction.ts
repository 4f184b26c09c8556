import type { Bundle, FhirResource, Identifier } from 'fhir/r4';
import { FhirError } from './outcome.ts';

/** Resource types an exam may consist of. */
export const TYPES = ['Patient', 'Device', 'Observation', 'DiagnosticReport', 'Media'] as const;

/** A conditional create: stored unless a resource with this identifier is there already. */
export interface Create {
  fullUrl: string;
  type: (typeof TYPES)[number];
  resource: FhirResource;
  identifiers: { system: string; value: string }[];
  /** From `ifNoneExist`. Without a system, any will do, and several resources can match. */
  condition: { system: string | null; value: string };
}

/** A transaction Bundle that has passed every check that needs no database. */
export interface Transaction {
  identifier: { system: string; value: string };
  creates: Create[];
}

/**
 * Checks a transaction Bundle (FHIR R4, 3.1.0.11.2): conditional creates only, each by a client's
 * own identifier, so that sending it twice is safe; references between entries must resolve.
 * @throws FhirError 422 naming the entry and what it lacks.
 */
export function parseTransaction(body: unknown): Transaction {
  const bundle = body as Bundle;
  if (typeof body !== 'object' || body === null || bundle.resourceType !== 'Bundle') {
    throw invalid('The body is no FHIR Bundle.');
  }
  // Legal in JSON, but no text of PostgreSQL's: better refused than failed on for ever.
  if (JSON.stringify(body).includes('\\u0000')) throw invalid('The Bundle holds a NUL character.');
  if (bundle.type !== 'transaction') throw invalid('Bundle.type must be "transaction".');
  const identifier = complete(bundle.identifier);
  if (!identifier)
    throw invalid('Bundle.identifier needs a system and a value: they make sending twice safe.');
  if (!Array.isArray(bundle.entry) || bundle.entry.length === 0)
    throw invalid('Bundle.entry is empty.');
  const creates = bundle.entry.map((entry, index) => parseEntry(entry, `Bundle.entry[${index}]`));

  const fullUrls = new Set<string>();
  for (const [index, { fullUrl }] of creates.entries()) {
    if (fullUrls.has(fullUrl))
      throw invalid(`Bundle.entry[${index}].fullUrl stands twice in the Bundle.`);
    fullUrls.add(fullUrl);
  }
  for (const { resource } of creates) {
    eachReference(resource, (reference) => {
      if (reference.startsWith('urn:uuid:') && !fullUrls.has(reference)) {
        throw invalid(`The reference ${reference} points to no entry of the Bundle.`);
      }
      return reference;
    });
  }
  return { identifier, creates };
}

function parseEntry(entry: NonNullable<Bundle['entry']>[number], where: string): Create {
  const { fullUrl, resource, request } = entry ?? {};
  if (!/^urn:uuid:[0-9a-f-]{36}$/.test(fullUrl ?? ''))
    throw invalid(`${where}.fullUrl must be a urn:uuid.`);
  const type = TYPES.find((name) => name === resource?.resourceType);
  if (!resource || !type) throw invalid(`${where}.resource must be one of ${TYPES.join(', ')}.`);
  if (request?.method !== 'POST' || request.url !== type) {
    throw invalid(`${where}.request must be a POST to ${type}.`);
  }
  const condition = parseCondition(request.ifNoneExist);
  if (!condition) throw invalid(`${where}.request.ifNoneExist must be "identifier=system|value".`);
  const given = (resource as { identifier?: Identifier | Identifier[] }).identifier;
  const identifiers = [given ?? []].flat().map(complete);
  if (identifiers.length === 0 || identifiers.includes(null)) {
    throw invalid(`${where}.resource.identifier needs a system and a value.`);
  }
  return {
    fullUrl: fullUrl!,
    type,
    resource,
    identifiers: identifiers as Create['identifiers'],
    condition,
  };
}

/** `identifier=system|value` as FHIR's token search writes it; `identifier=value` for any system. */
export function parseCondition(query: string | undefined): Create['condition'] | null {
  const token = new URLSearchParams(query ?? '').get('identifier');
  if (!token) return null;
  const bar = token.indexOf('|');
  if (bar < 0) return { system: null, value: token };
  const value = token.slice(bar + 1);
  return value ? { system: token.slice(0, bar), value } : null;
}

/** A copy of `resource` with every `Reference.reference` passed through `replace`. */
export function eachReference<T>(resource: T, replace: (reference: string) => string): T {
  if (Array.isArray(resource)) return resource.map((item) => eachReference(item, replace)) as T;
  if (typeof resource !== 'object' || resource === null) return resource;
  return Object.fromEntries(
    Object.entries(resource).map(([key, value]) => [
      key,
      key === 'reference' && typeof value === 'string'
        ? replace(value)
        : eachReference(value, replace),
    ]),
  ) as T;
}

function complete(identifier: Identifier | undefined): { system: string; value: string } | null {
  const { system, value } = identifier ?? {};
  const filled = (text: unknown): text is string => typeof text === 'string' && text !== '';
  return filled(system) && filled(value) ? { system, value } : null;
}

const invalid = (diagnostics: string) => new FhirError(422, 'invalid', diagnostics);
