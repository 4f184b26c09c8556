import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { decodeFilm } from '../../reader/decode/index.ts';
import { greyStatistics } from '../../reader/film.ts';
import { type LabelledFile, scanFolder } from '../../training/dataset.ts';
import { requireFolder } from '../paths.ts';
import { createProgress } from '../progress.ts';

interface ClassSummary {
  images: number;
  patients: number;
  /** Median of the sides, in pixels, and their range. */
  width: { median: number; low: number; high: number };
  height: { median: number; low: number; high: number };
  /** Median over films of mean and standard deviation of the grey levels. */
  meanGrey: number;
  contrast: number;
}

interface Exploration {
  dir: string;
  classes: { NORMAL: ClassSummary; PNEUMONIA: ClassSummary };
  /** Groups of byte-identical files. */
  duplicates: string[][];
  /** Groups of byte-identical files that carry both labels: one of the labels is wrong. */
  conflicts: string[][];
  unreadable: { path: string; reason: string }[];
  skipped: string[];
}

/** `bellows explore`: what a folder of films holds, before anything is trained on it. */
export function exploreCommand(): Command {
  return new Command('explore')
    .description('count and check a folder of films before training')
    .argument('<dir>', 'folder with NORMAL/ and PNEUMONIA/')
    .option('--json', 'the result as one JSON object')
    .action(async (dir: string, { json }: { json?: boolean }) => {
      await requireFolder(dir);
      const result = await explore(dir);
      process.stdout.write(json ? `${JSON.stringify(result)}\n` : describe(result));
    });
}

interface Measured {
  file: LabelledFile;
  hash: string;
  width: number;
  height: number;
  mean: number;
  deviation: number;
}

async function explore(dir: string): Promise<Exploration> {
  const { files, skipped } = await scanFolder(dir);
  const progress = createProgress('Looking at films', files.length, { unit: 'images' });
  const measured: Measured[] = [];
  const unreadable: Exploration['unreadable'] = [];
  for (const [index, file] of files.entries()) {
    try {
      const bytes = await readFile(file.path);
      const film = await decodeFilm(bytes);
      const { width, height } = film;
      const { mean, deviation } = greyStatistics(film);
      const hash = createHash('sha256').update(bytes).digest('hex');
      measured.push({ file, hash, width, height, mean, deviation });
    } catch (error) {
      unreadable.push({ path: file.path, reason: (error as Error).message });
    }
    progress.update(index + 1);
  }
  progress.done();

  const groups = new Map<string, LabelledFile[]>();
  for (const { hash, file } of measured) groups.set(hash, [...(groups.get(hash) ?? []), file]);
  const repeated = [...groups.values()].filter((group) => group.length > 1);
  const paths = (group: LabelledFile[]) => group.map((file) => file.path);
  const isConflict = (group: LabelledFile[]) => new Set(group.map((file) => file.label)).size > 1;
  return {
    dir,
    classes: {
      NORMAL: summarize(measured.filter(({ file }) => file.label === 0)),
      PNEUMONIA: summarize(measured.filter(({ file }) => file.label === 1)),
    },
    duplicates: repeated.map(paths),
    conflicts: repeated.filter(isConflict).map(paths),
    unreadable,
    skipped,
  };
}

function summarize(films: Measured[]): ClassSummary {
  const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1] ?? NaN;
  const range = (values: number[]) => ({
    median: median(values),
    low: Math.min(...values),
    high: Math.max(...values),
  });
  return {
    images: films.length,
    patients: new Set(films.map(({ file }) => file.patient)).size,
    width: range(films.map(({ width }) => width)),
    height: range(films.map(({ height }) => height)),
    meanGrey: median(films.map(({ mean }) => mean)),
    contrast: median(films.map(({ deviation }) => deviation)),
  };
}

function describe({
  dir,
  classes,
  duplicates,
  conflicts,
  unreadable,
  skipped,
}: Exploration): string {
  const total = classes.NORMAL.images + classes.PNEUMONIA.images;
  const lines = [`${dir}: ${total} readable films`];
  for (const [name, summary] of Object.entries(classes)) {
    const { images, patients, width, height, meanGrey, contrast } = summary;
    lines.push(
      `  ${name.padEnd(10)} ${images} films (${((100 * images) / total).toFixed(1)} %) of ${patients} patients`,
      `             width ${width.low} to ${width.high} (median ${width.median}), ` +
        `height ${height.low} to ${height.high} (median ${height.median}) pixels`,
      `             median grey ${meanGrey.toFixed(0)}, median contrast ${contrast.toFixed(0)} of 255`,
    );
  }
  const spare = duplicates.reduce((sum, group) => sum + group.length - 1, 0);
  lines.push(`  ${duplicates.length} groups of identical files (${spare} to spare)`);
  for (const group of conflicts)
    lines.push(`  Label conflict, the same film twice: ${group.join(', ')}`);
  for (const { path, reason } of unreadable) lines.push(`  Unreadable: ${path}: ${reason}`);
  for (const path of skipped) lines.push(`  No JPEG or PNG: ${path}`);
  return lines.join('\n') + '\n';
}
