import { registerSW } from 'virtual:pwa-register';

/** How far the app itself is installed on this device. */
export type ShellState = 'installing' | 'ready' | 'update-waiting' | 'unsupported' | 'failed';

/**
 * Registers the service worker.
 * @param onState told of every change.
 * @returns puts a waiting update in place and reloads; call it when nothing can be lost.
 */
export function installShell(onState: (state: ShellState) => void): () => Promise<void> {
  if (!('serviceWorker' in navigator)) {
    onState('unsupported');
    return async () => {};
  }
  onState('installing');
  // Ready means: active, and with the whole shell in its cache, which precedes activation.
  navigator.serviceWorker.ready.then(() => onState('ready')).catch(() => onState('failed'));
  const apply = registerSW({
    immediate: true,
    onNeedRefresh: () => onState('update-waiting'),
    onRegisteredSW: (_url, registration) => {
      // The helper looks at the first update only; one that could not be fetched whole is no update.
      registration?.addEventListener('updatefound', () => {
        const { installing } = registration;
        installing?.addEventListener('statechange', () => {
          const isUpdate = installing.state === 'installed' && registration.active;
          if (isUpdate) onState('update-waiting');
        });
      });
    },
    onRegisterError: () => onState('failed'),
  });
  return async () => {
    // The helper reloads only pages that a service worker controlled from their beginning.
    const reload = () => location.reload();
    navigator.serviceWorker.addEventListener('controllerchange', reload, { once: true });
    await apply();
  };
}

/** Asks the browser to keep our data when space runs short. @returns its answer. */
export async function requestPersistence(): Promise<boolean> {
  if (!navigator.storage?.persist) return false;
  return (await navigator.storage.persisted()) || (await navigator.storage.persist());
}
