import { readFile } from 'node:fs/promises';
import { decodeFilm } from '../reader/decode/index.ts';
import type { Engine } from '../reader/engine.ts';
import { FilmError } from '../reader/film.ts';
import type { Reading } from '../reader/reading.ts';

/** What became of one file. */
export interface FileReading {
  file: string;
  /** False when the file system would not give the file: missing, a folder, no permission. */
  opened: boolean;
  reading: Reading;
}

/**
 * Reads files one after the other, in order; a file that can not be read is refused and the rest
 * goes on. The next file is fetched from disk while the model works.
 * @throws ModelError when the model itself fails: every further answer would be in doubt.
 */
export async function* readFiles(
  engine: Engine,
  files: string[],
): AsyncGenerator<FileReading, void, undefined> {
  const fetch = (file: string | undefined) =>
    file === undefined
      ? undefined
      : readFile(file).then(
          (bytes) => ({ bytes }),
          (error: NodeJS.ErrnoException) => ({ error }),
        );
  let next = fetch(files[0]);
  for (const [index, file] of files.entries()) {
    const fetched = (await next)!;
    next = fetch(files[index + 1]);
    if ('error' in fetched) {
      yield { file, opened: false, reading: refused(...fileReason(fetched.error)) };
      continue;
    }
    yield { file, opened: true, reading: await readBytes(engine, fetched.bytes) };
  }
}

async function readBytes(engine: Engine, bytes: Uint8Array): Promise<Reading> {
  try {
    return await engine.read(await decodeFilm(bytes));
  } catch (error) {
    if (error instanceof FilmError) return refused(error.code, error.message);
    throw error;
  }
}

function refused(code: string, message: string): Reading {
  return { verdict: 'refused', probability: null, reasons: [{ code, message }], ms: 0 };
}

function fileReason(error: NodeJS.ErrnoException): [code: string, message: string] {
  switch (error.code) {
    case 'ENOENT':
      return ['missing-file', 'There is no such file. Check the path.'];
    case 'EISDIR':
      return ['folder', 'This is a folder. Give the files in it.'];
    case 'EACCES':
    case 'EPERM':
      return ['no-permission', 'The file may not be read by this user. Change its permissions.'];
    default:
      return ['unreadable-file', `The file can not be read from the disk (${error.message}).`];
  }
}
