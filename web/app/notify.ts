/** A short message at the foot of the screen, with one way to act on it. */
export interface Notice {
  text: string;
  action?: { label: string; run: () => void };
}

/** Shows a notice, in place of the one before; screen readers hear it once. */
export function notify(notice: Notice): void {
  dispatchEvent(new CustomEvent<Notice>('bellows-notice', { detail: notice }));
}
