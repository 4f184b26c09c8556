import { formatDate, formatNumber, formatTime, t } from '../i18n/translate.ts';
import type { SyncState } from './exam.ts';

/** One honest word for where a record stands. */
export function syncWord(state: SyncState): string {
  switch (state.kind) {
    case 'waiting':
      return t('syncWaiting');
    case 'sending':
      return t('syncSending');
    case 'acknowledged':
      return t('syncSent');
    case 'refused':
      return t('syncAttention');
  }
}

/** The same in a sentence or two, with what happens next. */
export function syncText(state: SyncState): string {
  switch (state.kind) {
    case 'waiting':
      return state.lastError
        ? t('syncWaitingAfter', {
            reason: state.lastError,
            n: formatNumber(state.attempts),
            time: formatTime(state.nextAttempt),
          })
        : t('syncWaitingText');
    case 'sending':
      return t('syncSendingText');
    case 'acknowledged':
      return t('syncSentText', { id: state.serverId, date: formatDate(state.at) });
    case 'refused':
      return t('syncAttentionText', { reason: state.reason });
  }
}
