import { FilmError } from '../film.ts';
import { readJpegStructure, type JpegStructure } from './jpeg-structure.ts';
import type { Picture } from './picture.ts';
import { loadTurbo, releaseTurbo } from './turbo.ts';

/**
 * Decodes a JPEG by libjpeg-turbo (WASM), the library behind Pillow and most browsers: grey stays
 * one channel, colour becomes RGB. Its build treats every warning as an error, so a damaged file
 * never passes for a half-grey film.
 * @throws FilmError `truncated`, `corrupt`, `too-large`, `too-small`, `unsupported-format`.
 */
export async function decodeJpeg(bytes: Uint8Array): Promise<Picture> {
  const structure = readJpegStructure(bytes);
  if (structure.components === 4) return decodeCmyk(bytes, structure);
  const turbo = await loadTurbo();
  const decoder = new turbo.JPEGDecoder();
  try {
    const { width, height, orientation, ended } = structure;
    const buffer = decoder.getEncodedBuffer(bytes.length + (ended ? 0 : 2));
    buffer.set(bytes);
    if (!ended) buffer.set([0xff, 0xd9], bytes.length);
    decoder.decode();
    const frame = decoder.getFrameInfo();
    const channels = frame.componentCount === 1 ? 1 : 3;
    if (frame.width !== width || frame.height !== height) throw new FilmError('corrupt');
    // The buffer is a view into the heap, which the next film overwrites.
    const samples = new Uint8Array(decoder.getDecodedBuffer());
    return { width, height, channels, orientation, samples };
  } catch (error) {
    if (error instanceof FilmError) throw error;
    throw damaged(structure);
  } finally {
    decoder.delete();
    releaseTurbo(turbo);
  }
}

/**
 * Four components are CMYK as Adobe writes it, which libjpeg-turbo can not turn into RGB. They are
 * rare enough (print scans) for a slow decoder that is fetched only then.
 */
async function decodeCmyk(bytes: Uint8Array, structure: JpegStructure): Promise<Picture> {
  if (!structure.adobe) throw new FilmError('unsupported-format', 'CMYK JPEG without Adobe marker');
  if (!structure.ended) throw new FilmError('truncated');
  const { default: jpeg } = await import('jpeg-js');
  try {
    const { width, height, data } = jpeg.decode(bytes, {
      useTArray: true,
      formatAsRGBA: false,
      tolerantDecoding: false,
      maxMemoryUsageInMB: 2048,
    });
    return { width, height, channels: 3, samples: data, orientation: structure.orientation };
  } catch {
    throw damaged(structure);
  }
}

function damaged({ ended }: JpegStructure): FilmError {
  return ended ? new FilmError('corrupt', 'its image data') : new FilmError('truncated');
}
