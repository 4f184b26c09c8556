import { stat } from 'node:fs/promises';
import { UsageError } from './errors.ts';

/**
 * Checks that a path given on the command line is a folder.
 * @throws UsageError when it does not exist or is a file.
 */
export async function requireFolder(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new UsageError(`There is no folder ${path}. Check the path.`);
  if (!found.isDirectory()) throw new UsageError(`${path} is a file. Give the folder it is in.`);
}

/**
 * Checks that a path given on the command line is a file.
 * @throws UsageError when it does not exist or is a folder.
 */
export async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found) throw new UsageError(`There is no file ${path}. Check the path.`);
  if (found.isDirectory()) throw new UsageError(`${path} is a folder. Give the file in it.`);
}
