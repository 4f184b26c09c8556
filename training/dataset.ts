import { readdir } from 'node:fs/promises';
import { basename, extname, join } from 'node:path';
import { createRandom } from '../reader/random.ts';

/** A film with its label: 1 pneumonia, 0 normal. */
export interface LabelledFile {
  path: string;
  label: 0 | 1;
  /** Whose film it is. Films of one patient never stand on both sides of a split. */
  patient: string;
}

/** A folder that is no data set. The message says what is missing and where it should be. */
export class DataError extends Error {
  override name = 'DataError';
}

const CLASSES = ['NORMAL', 'PNEUMONIA'] as const;
const IMAGE = /\.(jpe?g|png)$/i;

/**
 * Lists a data set in the Kaggle/Mendeley layout: `dir/{NORMAL,PNEUMONIA}`, or the same under
 * `dir/train` or `dir/test`.
 * @param subset which subfolder to take when `dir` itself lacks the two classes.
 * @returns files in name order, and the paths that are no JPEG or PNG (dot files are not listed).
 * @throws DataError when a class folder is missing or holds no image.
 */
export async function scanFolder(
  dir: string,
  subset: 'train' | 'test' = 'train',
): Promise<{ files: LabelledFile[]; skipped: string[] }> {
  const root = await rootOf(dir, subset);
  const files: LabelledFile[] = [];
  const skipped: string[] = [];
  for (const [label, name] of CLASSES.entries()) {
    const folder = join(root, name);
    const before = files.length;
    for (const entry of (await readdir(folder)).sort()) {
      if (entry.startsWith('.')) continue;
      const path = join(folder, entry);
      if (IMAGE.test(entry)) {
        files.push({ path, label: label as 0 | 1, patient: patientOf(entry, label as 0 | 1) });
      } else skipped.push(path);
    }
    if (files.length === before) {
      throw new DataError(`${folder} holds no JPEG or PNG file. Both classes need films.`);
    }
  }
  return { files, skipped };
}

async function rootOf(dir: string, subset: string): Promise<string> {
  const entries = await readdir(dir).catch(() => {
    throw new DataError(`The folder ${dir} can not be read. Check the path.`);
  });
  const missing = (names: string[]) => CLASSES.filter((name) => !names.includes(name));
  if (missing(entries).length === 0) return dir;
  if (entries.includes(subset)) {
    const root = join(dir, subset);
    const lacking = missing(await readdir(root));
    if (lacking.length === 0) return root;
    throw new DataError(`${root} lacks the folder ${lacking.join(' and ')}.`);
  }
  throw new DataError(
    `${dir} lacks the folder ${missing(entries).join(' and ')}. ` +
      `Put films without pneumonia in NORMAL/ and films with it in PNEUMONIA/.`,
  );
}

/** Bacterial (0) or viral (1), where the file name tells it as the Guangzhou names do. */
export function causeOf(path: string): 0 | 1 | null {
  if (/bacteria/i.test(basename(path))) return 0;
  return /virus/i.test(basename(path)) ? 1 : null;
}

/**
 * Whose film a file is, from its name. Guangzhou: `person12_bacteria_34` and `person12_virus_56`
 * may be two children; normals are numbered in two separate series (`IM-0115-…`,
 * `NORMAL2-IM-0383-…`). Any other name is taken for a patient of its own.
 */
export function patientOf(name: string, label: 0 | 1): string {
  const pneumonia = /^(person\d+)_(bacteria|virus)/i.exec(name);
  if (pneumonia) return `${pneumonia[1]}_${pneumonia[2]}`.toLowerCase();
  const normal = /^((?:NORMAL2-)?IM-\d+)/i.exec(name);
  if (normal) return normal[1]!.toUpperCase();
  return `${label}/${basename(name, extname(name))}`;
}

/**
 * Splits by patient, within each class so that both sides keep the mix. Deterministic in `seed`
 * and the set of patients, not in the order of the files.
 * @param share of the patients that go to validation, 0 to 1; at least one of each class goes.
 * @throws DataError when a class has a single patient.
 */
export function splitByPatient(
  files: LabelledFile[],
  share: number,
  seed: number,
): { train: LabelledFile[]; validation: LabelledFile[] } {
  const held = new Set<string>();
  for (const label of [0, 1] as const) {
    const patients = [
      ...new Set(files.filter((file) => file.label === label).map((file) => file.patient)),
    ].sort();
    if (patients.length < 2) {
      throw new DataError(
        `The class ${CLASSES[label]} has films of one patient only. ` +
          'Validation needs a patient the training has not seen: add films of another one.',
      );
    }
    const count = Math.max(1, Math.round(patients.length * share));
    for (const patient of createRandom(seed + label)
      .shuffle(patients)
      .slice(0, count)) {
      held.add(`${label}:${patient}`);
    }
  }
  const isHeld = (file: LabelledFile) => held.has(`${file.label}:${file.patient}`);
  return {
    train: files.filter((file) => !isHeld(file)),
    validation: files.filter(isHeld),
  };
}
