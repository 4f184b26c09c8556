import { FilmError } from '../film.ts';

/** First bytes of formats that are recognised only to be refused by name. */
const OTHERS: { name: string; at: number; magic: string }[] = [
  { name: 'DICOM', at: 128, magic: 'DICM' },
  { name: 'GIF', at: 0, magic: 'GIF8' },
  { name: 'WebP', at: 8, magic: 'WEBP' },
  { name: 'TIFF', at: 0, magic: 'II*\0' },
  { name: 'TIFF', at: 0, magic: 'MM\0*' },
  { name: 'TIFF', at: 0, magic: 'II+\0' },
  { name: 'TIFF', at: 0, magic: 'MM\0+' },
  { name: 'PDF', at: 0, magic: '%PDF-' },
  { name: 'JPEG 2000', at: 0, magic: '\0\0\0\x0cjP  ' },
  { name: 'JPEG 2000', at: 0, magic: '\xff\x4f\xff\x51' },
  { name: 'JPEG XL', at: 0, magic: '\0\0\0\x0cJXL ' },
  { name: 'JPEG XL', at: 0, magic: '\xff\x0a' },
  { name: 'AVIF', at: 4, magic: 'ftypavi' },
  { name: 'HEIC', at: 4, magic: 'ftyphei' },
  { name: 'HEIC', at: 4, magic: 'ftyphev' },
  { name: 'HEIC', at: 4, magic: 'ftypmif1' },
  { name: 'HEIC', at: 4, magic: 'ftypmsf1' },
  { name: 'SVG', at: 0, magic: '<svg' },
];

const PNG = '\x89PNG\r\n\x1a\n';

/**
 * Tells the format from a file's first bytes; names and extensions lie.
 * @throws FilmError `empty-file`, `unsupported-format` with the format's name, `not-an-image`.
 */
export function sniff(bytes: Uint8Array): 'jpeg' | 'png' {
  if (bytes.length === 0) throw new FilmError('empty-file');
  if (holds(bytes, 0, '\xff\xd8') && (bytes.length === 2 || bytes[2] === 0xff)) return 'jpeg';
  if (holds(bytes, 0, PNG)) return 'png';
  if (holds(bytes, 0, '\x89PNG') || holds(bytes, 0, '\x09PNG')) {
    throw new FilmError(
      bytes.length < PNG.length ? 'truncated' : 'corrupt',
      'its first bytes were changed, as by a transfer in text mode',
    );
  }
  const other = OTHERS.find(({ at, magic }) => holds(bytes, at, magic));
  if (other) throw new FilmError('unsupported-format', other.name);
  if (isBitmap(bytes)) throw new FilmError('unsupported-format', 'BMP');
  if (isBareDicom(bytes)) throw new FilmError('unsupported-format', 'DICOM');
  throw new FilmError('not-an-image');
}

function holds(bytes: Uint8Array, at: number, magic: string): boolean {
  if (bytes.length < at + magic.length) return false;
  for (let i = 0; i < magic.length; i++) {
    if (bytes[at + i] !== magic.charCodeAt(i)) return false;
  }
  return true;
}

/** `BM` alone opens many a text: the size of the second header has to fit too. */
function isBitmap(bytes: Uint8Array): boolean {
  return (
    holds(bytes, 0, 'BM') && bytes.length > 18 && [12, 40, 52, 56, 108, 124].includes(bytes[14]!)
  );
}

/** DICOM without its preamble (old modalities): opens with group 0002 or 0008, element 0000 to 0018. */
function isBareDicom(bytes: Uint8Array): boolean {
  return (
    bytes.length > 8 &&
    (bytes[0] === 2 || bytes[0] === 8) &&
    bytes[1] === 0 &&
    bytes[2]! <= 0x18 &&
    bytes[3] === 0 &&
    (/^[A-Z]{2}$/.test(String.fromCharCode(bytes[4]!, bytes[5]!)) || bytes[6] === 0)
  );
}
