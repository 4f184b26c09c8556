import type { Film } from '../film.ts';
import { decodeJpeg } from './jpeg.ts';
import { decodePng } from './png.ts';
import { orient } from './orientation.ts';
import { sniff } from './sniff.ts';
import { toGrey } from './grey.ts';

export { configureJpeg } from './turbo.ts';

/**
 * Decodes a JPEG or PNG file to a film: the same code and so the same pixels in Node, in a worker
 * and on the main thread (a browser's own decoder would differ by colour profile and version).
 *
 * Colour becomes ITU-R 601 luma, transparency is laid on black, the EXIF orientation is carried
 * out. Size and completeness are checked in the file's structure before memory is spent.
 *
 * In the browser, `configureJpeg` has to be called first.
 * @throws FilmError for every file that is no readable film.
 */
export async function decodeFilm(bytes: Uint8Array): Promise<Film> {
  const kind = sniff(bytes);
  const picture = kind === 'jpeg' ? await decodeJpeg(bytes) : await decodePng(bytes);
  return orient(toGrey(picture), picture.orientation);
}
