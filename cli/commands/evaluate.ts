import { open, type FileHandle } from 'node:fs/promises';
import { Command } from 'commander';
import type { Estimate, Metrics } from '../../reader/card.ts';
import { evaluateScores } from '../../reader/metrics.ts';
import { scanFolder, type LabelledFile } from '../../training/dataset.ts';
import { UsageError } from '../errors.ts';
import { readFiles, type FileReading } from '../films.ts';
import { openModel } from '../model.ts';
import { requireFolder } from '../paths.ts';
import { createProgress } from '../progress.ts';
import { reasonsOf } from './read.ts';

interface EvaluateOptions {
  json?: boolean;
  perImage?: string;
  model?: string;
}

/** The JSON contract of `bellows evaluate --json`. */
interface Evaluation extends Metrics {
  /** Files that could not be read, and readable films that the refusal checks dislike. */
  refused: number;
}

/** `bellows evaluate`: the model measured on films with known answers. */
export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('measure the model on a folder of films with known answers')
    .argument('<dir>', 'folder that holds NORMAL/ and PNEUMONIA/, or test/ with both in it')
    .option('--json', 'one JSON object: metrics with 95 % intervals, confusion, refused')
    .option('--per-image <csv>', 'write one line a film: file, label, probability, verdict …')
    .option('--model <file>', 'ONNX file with its card.json beside it (default: the shipped model)')
    .addHelpText(
      'after',
      '\nEvery readable film counts at the shipped threshold, refused or not. Files that can not be\n' +
        'read are named on stderr and counted as refused. Intervals: stratified bootstrap, 2,000\n' +
        'resamples, seed 1.',
    )
    .action(run);
}

async function run(dir: string, options: EvaluateOptions): Promise<void> {
  await requireFolder(dir);
  const { files, skipped } = await scanFolder(dir, 'test');
  for (const path of skipped) say(`Skipped ${path}: no JPEG or PNG file.`);
  const csv = options.perImage === undefined ? undefined : await createCsv(options.perImage);
  const { engine, card, path } = await openModel(options.model);
  const { threshold } = card.operatingPoint;

  const readings: FileReading[] = [];
  try {
    const progress = createProgress('Reading films', files.length, { unit: 'images' });
    const paths = files.map((file) => file.path);
    for await (const result of readFiles(engine, paths)) {
      readings.push(result);
      progress.update(readings.length);
    }
    progress.done();
    await csv?.writeFile(csvOf(files, readings, threshold));
  } finally {
    await engine.close();
    await csv?.close();
  }

  const unreadable = readings.filter(({ reading }) => reading.probability === null);
  for (const { file, reading } of unreadable) say(`Not read: ${file}: ${reasonsOf(reading)[0]}`);
  const evaluation = evaluationOf(files, readings, threshold);
  if (options.json) process.stdout.write(`${JSON.stringify(evaluation)}\n`);
  else process.stdout.write(summary(evaluation, `${path} (${card.name})`, unreadable.length));
}

function evaluationOf(
  files: LabelledFile[],
  readings: FileReading[],
  threshold: number,
): Evaluation {
  const probabilities: number[] = [];
  const labels: number[] = [];
  let refused = 0;
  readings.forEach(({ reading }, index) => {
    if (reading.verdict === 'refused') refused += 1;
    if (reading.probability === null) return;
    probabilities.push(reading.probability);
    labels.push(files[index]!.label);
  });
  return { ...evaluateScores(probabilities, labels, threshold), refused };
}

/** Opened before the films are read: a wrong path should not cost the whole evaluation. */
async function createCsv(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w');
  } catch (cause) {
    const { message } = cause as Error;
    throw new UsageError(`The table can not be written to ${path} (${message}).`, { cause });
  }
}

function csvOf(files: LabelledFile[], readings: FileReading[], threshold: number): string {
  const rows = readings.map(({ file, reading }, index) => [
    file,
    files[index]!.label,
    reading.probability ?? '',
    reading.verdict,
    reading.probability === null ? '' : reading.probability >= threshold ? 1 : 0,
    reasonsOf(reading).join(' '),
    reading.ms.toFixed(1),
  ]);
  const header = ['file', 'label', 'probability', 'verdict', 'positive', 'reasons', 'ms'];
  return [header, ...rows].map((row) => `${row.map(csvCell).join(',')}\r\n`).join('');
}

/** RFC 4180. */
function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function summary(evaluation: Evaluation, model: string, unreadable: number): string {
  const { n, threshold, confusion, refused } = evaluation;
  const share = ({ value, low, high }: Estimate) =>
    `${(value * 100).toFixed(1)} %  (${(low * 100).toFixed(1)} to ${(high * 100).toFixed(1)})`;
  const plain = ({ value, low, high }: Estimate) =>
    `${value.toFixed(4)}  (${low.toFixed(4)} to ${high.toFixed(4)})`;
  return [
    `${n} films, model ${model}, threshold ${threshold}; in brackets 95 % intervals`,
    '',
    `  AUC                ${plain(evaluation.auc)}`,
    `  accuracy           ${share(evaluation.accuracy)}`,
    `  sensitivity        ${share(evaluation.sensitivity)}`,
    `  specificity        ${share(evaluation.specificity)}`,
    `  Brier score        ${plain(evaluation.brier)}`,
    `  calibration error  ${plain(evaluation.ece)}`,
    '',
    `                     said pneumonia  said normal`,
    `  pneumonia          ${String(confusion.tp).padStart(14)}  ${String(confusion.fn).padStart(11)}`,
    `  normal             ${String(confusion.fp).padStart(14)}  ${String(confusion.tn).padStart(11)}`,
    '',
    `${refused} refused, ${unreadable} of them unreadable and not counted above.`,
    '',
  ].join('\n');
}

function say(text: string): void {
  process.stderr.write(`${text}\n`);
}
