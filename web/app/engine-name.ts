import type { Provider } from '../../reader/engine.ts';
import { t } from '../i18n/translate.ts';

/** What people call an engine. */
export function engineName(engine: Provider): string {
  return engine === 'webgpu' ? t('engineWebgpu') : t('engineWasm');
}
