import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { PREPROCESSING } from '../reader/contract.ts';
import { decodeFilm } from '../reader/decode/index.ts';
import type { Film } from '../reader/film.ts';
import { DataError, type LabelledFile, scanFolder } from '../training/dataset.ts';
import { resizeModel } from './preprocessing.ts';
import { filmTensor, openSession } from './runtime.ts';

/** A film with its label and the square that the network is shown of it. */
export interface PreparedFilm {
  label: 0 | 1;
  film: Film;
  /** The same film at the network's working size: resized again, it stays as it is. */
  square: Film;
}

export interface UnreadableFile {
  path: string;
  reason: string;
}

/**
 * Decodes films one after the other and resizes them by the model's own first nodes.
 * @param onUnreadable is told of each file that is no readable film; the rest goes on.
 */
export async function* decodeFilms(
  files: readonly LabelledFile[],
  onUnreadable: (file: UnreadableFile) => void,
): AsyncGenerator<PreparedFilm, void, undefined> {
  const session = await openSession(resizeModel());
  const side = PREPROCESSING.resizeTo;
  try {
    for (const { path, label } of files) {
      let film: Film;
      try {
        film = await decodeFilm(await readFile(path));
      } catch (error) {
        onUnreadable({ path, reason: (error as Error).message });
        continue;
      }
      const { resized } = await session.run({ film: filmTensor(film) });
      const grey = Uint8Array.from(resized!.data as Uint8Array);
      yield { label, film, square: { width: side, height: side, grey, colourfulness: 0 } };
    }
  } finally {
    await session.release();
  }
}

/** What the network sees of a square: its central part, [inputSize, inputSize], 0 to 255. */
export function centralCrop({ grey, width }: Film): Float32Array {
  const { resizeTo, inputSize } = PREPROCESSING;
  const from = (resizeTo - inputSize) / 2;
  return Float32Array.from({ length: inputSize * inputSize }, (_, at) => {
    const y = from + Math.floor(at / inputSize);
    const x = from + (at % inputSize);
    return grey[y * width + x]!;
  });
}

/**
 * Finds a run's films in another folder, by class and file name.
 * @throws DataError when `dir` is no data set or holds none of them.
 */
export async function relocate(files: LabelledFile[], dir: string): Promise<LabelledFile[]> {
  const keyOf = ({ path, label }: LabelledFile) => `${label}/${basename(path)}`;
  const { files: found } = await scanFolder(dir);
  const places = new Map(found.map((file) => [keyOf(file), file.path]));
  const moved = files.map((file) => ({ ...file, path: places.get(keyOf(file)) ?? file.path }));
  if (!files.some((file) => places.has(keyOf(file)))) {
    throw new DataError(`${dir} holds none of the run's films. Name the folder it was trained on.`);
  }
  return moved;
}
