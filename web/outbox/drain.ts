import type { OutboxEntry } from '../records/exam.ts';
import { listOutbox, moveSync, readSetting } from '../records/records.ts';
import { deliver, type Delivery } from './transport.ts';

/** What a drain found: `idle` has nothing left to send; `later` should be tried at `at`. */
export type DrainResult =
  { kind: 'idle' } | { kind: 'later'; at: number } | { kind: 'no-token' } | { kind: 'busy' };

const FIRST_DELAY_MS = 5_000;
const LONGEST_DELAY_MS = 15 * 60_000;

/**
 * How long to wait after the n-th failure: exponential backoff with full jitter, so that a hundred
 * tablets do not return to a server that has just come up all at once.
 * Source: AWS Architecture Blog, "Exponential Backoff and Jitter" (2015).
 * @param attempts failures so far, 1 or more. @param uniform a random number in [0, 1).
 */
export function backoff(attempts: number, uniform: number): number {
  const ceiling = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (attempts - 1));
  return Math.round(1000 + uniform * (ceiling - 1000));
}

/**
 * Sends what waits, oldest first. One drain at a time on this device, over all tabs and the service
 * worker; a second caller is told so and need not wait.
 * @param force tries records too whose time has not come: somebody pressed the button.
 */
export async function drain(force = false): Promise<DrainResult> {
  return navigator.locks.request('bellows-outbox', { ifAvailable: true }, async (lock) =>
    lock ? sendAll(force) : ({ kind: 'busy' } as const),
  );
}

async function sendAll(force: boolean): Promise<DrainResult> {
  await releaseStale();
  const token = await readSetting('token');
  let earliest = Infinity;
  for (const entry of await listOutbox()) {
    if (entry.state.kind !== 'waiting') continue;
    if (!token) return { kind: 'no-token' };
    if (!force && entry.state.nextAttempt > Date.now()) {
      earliest = Math.min(earliest, entry.state.nextAttempt);
      continue;
    }
    const next = await sendOne(entry, entry.state.attempts, token);
    if (next === 'unauthorized') return { kind: 'no-token' };
    earliest = Math.min(earliest, next);
  }
  return earliest === Infinity ? { kind: 'idle' } : { kind: 'later', at: earliest };
}

/** @returns when to try again; Infinity when it is settled. */
async function sendOne(
  { examId, bundle }: OutboxEntry,
  attempts: number,
  token: string,
): Promise<number | 'unauthorized'> {
  const taken = await moveSync(examId, 'waiting', { kind: 'sending', attempts, since: Date.now() });
  if (!taken) return Infinity;
  const delivery = await deliver(bundle, token).catch((error: Error): Delivery => ({
    kind: 'retry',
    reason: error.message,
  }));
  const at = new Date().toISOString();
  switch (delivery.kind) {
    case 'acknowledged':
      await moveSync(examId, 'sending', {
        kind: 'acknowledged',
        serverId: delivery.serverId,
        at,
      });
      return Infinity;
    case 'refused':
      await moveSync(examId, 'sending', { kind: 'refused', reason: delivery.reason, at });
      return Infinity;
    case 'retry':
    case 'unauthorized': {
      const failures = attempts + 1;
      const wait = backoff(failures, Math.random());
      const asked = delivery.kind === 'retry' ? (delivery.afterMs ?? 0) : 0;
      const nextAttempt = Date.now() + Math.max(wait, Math.min(asked, LONGEST_DELAY_MS));
      await moveSync(examId, 'sending', {
        kind: 'waiting',
        attempts: failures,
        nextAttempt,
        lastError: delivery.reason,
      });
      return delivery.kind === 'unauthorized' ? 'unauthorized' : nextAttempt;
    }
  }
}

/**
 * We hold the lock, so nobody is sending: what says so was left by a tab that died. Its Bundle may
 * have arrived; sending it again is safe.
 */
async function releaseStale(): Promise<void> {
  for (const { examId, state } of await listOutbox()) {
    if (state.kind !== 'sending') continue;
    await moveSync(examId, 'sending', {
      kind: 'waiting',
      attempts: state.attempts,
      nextAttempt: 0,
    });
  }
}

/** Puts a refused record back in the queue: somebody has mended the cause. */
export async function retryRefused(examId: string): Promise<void> {
  await moveSync(examId, 'refused', { kind: 'waiting', attempts: 0, nextAttempt: 0 });
}
