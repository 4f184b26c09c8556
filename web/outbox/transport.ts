import type { Bundle, DiagnosticReport, OperationOutcome } from 'fhir/r4';
import { SYSTEMS } from './bundle.ts';

/** What came of sending one Bundle once. */
export type Delivery =
  | { kind: 'acknowledged'; serverId: string }
  /** The server will never take it as it is. */
  | { kind: 'refused'; reason: string }
  /** No answer, or none that can be trusted: the same Bundle is sent again later. */
  | { kind: 'retry'; reason: string; afterMs?: number }
  /** The server does not know this device: pointless until there is another token. */
  | { kind: 'unauthorized'; reason: string };

/** Slow lines are the rule; a line that says nothing for this long is dead. */
const TIMEOUT_MS = 60_000;

/**
 * Sends one exam's Bundle. Safe to repeat: the server stores it once.
 * @param post `fetch`, or a stand-in with its signature.
 */
export async function deliver(
  bundle: Bundle,
  token: string,
  post: typeof fetch = fetch,
): Promise<Delivery> {
  let response: Response;
  let text: string;
  try {
    response = await post('/fhir', {
      method: 'POST',
      headers: headers(token),
      body: JSON.stringify(bundle),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    text = await response.text();
  } catch (error) {
    return { kind: 'retry', reason: connectionProblem(error) };
  }
  const { status } = response;
  if (status === 200 || status === 201) return acknowledgement(bundle, text);
  if (status === 401 || status === 403) {
    const reason = diagnostics(text) || `The server does not let this device in (${status}).`;
    return { kind: 'unauthorized', reason };
  }
  if (status === 409 || status === 412) return lookUp(bundle, token, diagnostics(text), post);
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const afterMs = retryAfter(response);
    return {
      kind: 'retry',
      reason: `The server could not take it (${status}).`,
      ...(afterMs !== undefined && { afterMs }),
    };
  }
  return { kind: 'refused', reason: diagnostics(text) || `The server answered ${status}.` };
}

/** The answer counts only when it speaks of every entry: half an answer is no answer. */
function acknowledgement(bundle: Bundle, text: string): Delivery {
  const answer = parse<Bundle>(text);
  const entries = answer?.entry ?? [];
  const all =
    answer?.type === 'transaction-response' &&
    entries.length === bundle.entry!.length &&
    entries.every(({ response }) => /^20[01]/.test(response?.status ?? ''));
  const location = entries
    .map(({ response }) => response?.location ?? '')
    .find((location) => location.includes('DiagnosticReport/'));
  const serverId = /DiagnosticReport\/([^/]+)/.exec(location ?? '')?.[1];
  if (!all || !serverId) {
    return { kind: 'retry', reason: 'The answer of the server was cut off.' };
  }
  return { kind: 'acknowledged', serverId };
}

/** After a conflict: the exam may well be there. Found once, it has arrived. */
async function lookUp(
  bundle: Bundle,
  token: string,
  problem: string,
  get: typeof fetch,
): Promise<Delivery> {
  const query = new URLSearchParams({ identifier: `${SYSTEMS.exam}|${bundle.identifier!.value}` });
  try {
    const response = await get(`/fhir/DiagnosticReport?${query}`, {
      headers: headers(token),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const found = parse<Bundle<DiagnosticReport>>(await response.text());
    if (!response.ok || found?.type !== 'searchset') {
      return { kind: 'retry', reason: 'The server could not say whether it has this exam.' };
    }
    const reports = found.entry ?? [];
    const id = reports[0]?.resource?.id;
    if (reports.length === 1 && id) return { kind: 'acknowledged', serverId: id };
    return { kind: 'refused', reason: problem || 'The server has a conflicting record.' };
  } catch (error) {
    return { kind: 'retry', reason: connectionProblem(error) };
  }
}

const headers = (token: string) => ({
  authorization: `Bearer ${token}`,
  'content-type': 'application/fhir+json',
  accept: 'application/fhir+json',
});

function diagnostics(text: string): string {
  const outcome = parse<OperationOutcome>(text);
  return (
    outcome?.issue
      ?.map(({ diagnostics }) => diagnostics ?? '')
      .join(' ')
      .trim() ?? ''
  );
}

/** Seconds or an HTTP date (RFC 9110, 10.2.3). */
function retryAfter(response: Response): number | undefined {
  const value = response.headers.get('retry-after') ?? '';
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

function connectionProblem(error: unknown): string {
  return (error as Error).name === 'TimeoutError'
    ? 'The server did not answer in time.'
    : 'There is no connection to the server.';
}

function parse<T>(text: string): T | null {
  try {
    return JSON.parse(text) as T;
  } catch {
    return null;
  }
}
