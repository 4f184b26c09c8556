import { mkdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * A folder outside the checkout for what is large and can be made again: prepared films,
 * libtensorflow, test tools. `BELLOWS_CACHE` or `XDG_CACHE_HOME` moves it.
 */
export function cacheFolder(...parts: string[]): string {
  const base =
    process.env.BELLOWS_CACHE ??
    join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'bellows');
  const folder = join(base, ...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}
