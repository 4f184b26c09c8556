import { onRecordsChanged } from '../records/records.ts';
import { drain } from './drain.ts';

/** Even with every other sign missing, the outbox is tried this often while the app is open. */
const REGULAR_MS = 60_000;

let timer: ReturnType<typeof setTimeout> | undefined;

/**
 * Keeps the outbox draining while a page is open: at once, when the network returns, when the app
 * comes to the front, when a record was saved, when a backoff ends and on a timer. Where the
 * browser has Background Sync, it also drains with the app closed.
 */
export function scheduleDrains(): void {
  addEventListener('online', () => void run());
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') void run();
  });
  let settled: ReturnType<typeof setTimeout> | undefined;
  onRecordsChanged(() => {
    clearTimeout(settled);
    settled = setTimeout(() => void run(), 300);
  });
  void run();
}

/** Sends now what waits, whatever its backoff says. */
export async function sendNow(): Promise<void> {
  await run(true);
}

async function run(force = false): Promise<void> {
  clearTimeout(timer);
  let wait = REGULAR_MS;
  try {
    const result = await drain(force);
    if (result.kind === 'later') {
      wait = Math.min(REGULAR_MS, Math.max(500, result.at - Date.now()));
      await requestBackgroundSync();
    }
  } finally {
    timer = setTimeout(() => void run(), wait);
  }
}

/** Chromium only: the service worker is woken when the network is back, even with the app closed. */
async function requestBackgroundSync(): Promise<void> {
  const registration = (await navigator.serviceWorker?.getRegistration()) as
    (ServiceWorkerRegistration & { sync?: { register(tag: string): Promise<void> } }) | undefined;
  // Refused without a permission, or where the browser has none: the timer goes on regardless.
  await registration?.sync?.register('bellows-outbox').catch(() => {});
}
