import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { resizeModel } from '../export/preprocessing.ts';
import { filmTensor, openSession } from '../export/runtime.ts';
import { CONTRACT, PREPROCESSING } from '../reader/contract.ts';
import { decodeFilm } from '../reader/decode/index.ts';
import type { PixelStore } from './augment.ts';
import { cacheFolder } from './cache.ts';
import { DataError, type LabelledFile } from './dataset.ts';

/** Films ready for training: all at the network's working size, on disk, in the order of `files`. */
export interface PreparedFilms {
  files: LabelledFile[];
  /** Path of the pixels: `side * side` bytes a film. */
  store: string;
  side: number;
  /** Files that are no readable film, and why. */
  unreadable: { path: string; reason: string }[];
}

/**
 * Decodes every file and resizes it by the very nodes that open the exported ONNX graph, so that
 * training and tablet can not differ. The result is kept in the cache folder and streamed from
 * there, so memory does not grow with the data set.
 * @param onProgress is told after each file.
 * @throws DataError when a class has no readable film left.
 */
export async function prepareFilms(
  files: LabelledFile[],
  onProgress: (done: number, total: number) => void = () => {},
): Promise<PreparedFilms> {
  const side = PREPROCESSING.resizeTo;
  const base = join(cacheFolder('films'), await fingerprint(files));
  const store = `${base}.u8`;
  const known = await readFile(`${base}.json`, 'utf8').catch(() => null);
  if (known !== null) {
    const unreadable = JSON.parse(known) as PreparedFilms['unreadable'];
    onProgress(files.length, files.length);
    return checked({ files: without(files, unreadable), store, side, unreadable });
  }

  const session = await openSession(resizeModel());
  const unreadable: PreparedFilms['unreadable'] = [];
  const part = `${store}.${process.pid}.part`;
  const out = await open(part, 'w');
  try {
    for (const [index, { path }] of files.entries()) {
      try {
        const film = await decodeFilm(await readFile(path));
        const { resized } = await session.run({ [CONTRACT.input]: filmTensor(film) });
        await out.write(resized!.data as Uint8Array);
      } catch (error) {
        unreadable.push({ path, reason: (error as Error).message });
      }
      onProgress(index + 1, files.length);
    }
    await out.close();
    await rename(part, store);
  } finally {
    await out.close().catch(() => {});
    await rm(part, { force: true });
    await session.release();
  }
  const list = await open(`${base}.json`, 'w');
  await list.writeFile(JSON.stringify(unreadable));
  await list.close();
  return checked({ files: without(files, unreadable), store, side, unreadable });
}

function without(files: LabelledFile[], unreadable: PreparedFilms['unreadable']): LabelledFile[] {
  const bad = new Set(unreadable.map(({ path }) => path));
  return files.filter(({ path }) => !bad.has(path));
}

function checked(films: PreparedFilms): PreparedFilms {
  for (const [label, name] of ['NORMAL', 'PNEUMONIA'].entries()) {
    if (!films.files.some((file) => file.label === label)) {
      throw new DataError(
        `No film in ${name}/ can be read. First reason: ${films.unreadable[0]?.reason ?? 'no file'}`,
      );
    }
  }
  return films;
}

/** Changes when a file is added, removed, touched or resized differently. */
async function fingerprint(files: LabelledFile[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(PREPROCESSING));
  for (const { path } of files) {
    const { size, mtimeMs } = await stat(path);
    hash.update(`${path}\0${size}\0${mtimeMs}\n`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Reads single films out of a prepared store; the operating system's cache keeps it fast. */
export function openPixelStore(path: string, side: number, count: number): PixelStore {
  const file = openSync(path, 'r');
  const bytes = side * side;
  return {
    side,
    count,
    load: (index, target) => {
      readSync(file, target, 0, bytes, index * bytes);
    },
    close: () => closeSync(file),
  };
}
