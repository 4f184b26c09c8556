/// <reference lib="webworker" />
import { clientsClaim } from 'workbox-core';
import {
  cleanupOutdatedCaches,
  createHandlerBoundToURL,
  type PrecacheEntry,
  precacheAndRoute,
} from 'workbox-precaching';
import { NavigationRoute, registerRoute } from 'workbox-routing';
import { drain } from '../outbox/drain.ts';
import { FILES_CACHE, isReadingFile } from './files-cache.ts';
import { fetchFiles } from './files.ts';

declare const self: ServiceWorkerGlobalScope & { __WB_MANIFEST: PrecacheEntry[] };

precacheAndRoute(self.__WB_MANIFEST);
cleanupOutdatedCaches();
clientsClaim();

/**
 * An update comes with its runtime and model or not at all: taken over on a day without a network,
 * it would otherwise read no film. What came before a broken line is kept for the next try.
 */
self.addEventListener('install', (event) => {
  if (!self.registration.active) return;
  const fetched = fetchFiles('wasm', () => {}, 'keep-old').then((isThere) => {
    if (!isThere) throw new Error('The new version could not be fetched whole.');
  });
  event.waitUntil(fetched);
});

/** Every page of the app is the shell; the server's own paths are left to the server. */
registerRoute(
  new NavigationRoute(createHandlerBoundToURL('index.html'), { denylist: [/^\/(api|fhir)\//] }),
);

/** Runtime and model come from their own cache; the page fills it, see files.ts. */
registerRoute(
  ({ url, sameOrigin }) => sameOrigin && isReadingFile(url.pathname),
  async ({ request, url }) => {
    const cached = await (await caches.open(FILES_CACHE)).match(url.pathname);
    return cached ?? fetch(request);
  },
);

/** The page asks for this once nothing is open that an update could interrupt. */
self.addEventListener('message', ({ data }) => {
  if ((data as { type?: string } | null)?.type === 'SKIP_WAITING') void self.skipWaiting();
});

/** Background Sync: the network is back, perhaps with the app closed. */
self.addEventListener('sync', (event) => {
  const { tag, waitUntil } = event as ExtendableEvent & { tag: string };
  if (tag !== 'bellows-outbox') return;
  const sent = drain(true).then(({ kind }) => {
    // A rejection is how the browser learns to wake us again.
    if (kind === 'later') throw new Error('Records still wait.');
  });
  waitUntil.call(event, sent);
});
