import { basename } from 'node:path';
import { Command } from 'commander';
import type { Reading, Verdict } from '../../reader/reading.ts';
import { EXIT } from '../errors.ts';
import { readFiles, type FileReading } from '../films.ts';
import { openModel } from '../model.ts';

interface ReadOptions {
  json?: boolean;
  model?: string;
}

const WORDS: Record<Verdict, string> = {
  pneumonia: 'signs of pneumonia',
  'no-pneumonia': 'no signs found',
  uncertain: 'not sure: ask a doctor',
  refused: 'not read',
};

/** `bellows read`: verdict and probability for each file. */
export function readCommand(): Command {
  return new Command('read')
    .description('read films: verdict and probability for each file')
    .argument('<file...>', 'JPEG or PNG files')
    .option('--json', 'one JSON object a line: file, verdict, probability, reasons, ms')
    .option('--model <file>', 'ONNX file with its card.json beside it (default: the shipped model)')
    .addHelpText(
      'after',
      '\nA file that can not be read is refused with the reason, and the rest goes on.\n' +
        'Exit code: 0 when at least one file could be opened, 1 when none could.',
    )
    .action(run);
}

async function run(files: string[], options: ReadOptions): Promise<void> {
  const { engine } = await openModel(options.model);
  const line = options.json ? jsonLine : tableLine(files);
  let opened = 0;
  try {
    for await (const result of readFiles(engine, files)) {
      if (result.opened) opened += 1;
      process.stdout.write(`${line(result)}\n`);
    }
  } finally {
    await engine.close();
  }
  if (!options.json) process.stdout.write('\nA second reading. You decide.\n');
  if (opened === 0) process.exitCode = EXIT.failed;
}

/** One line of the JSON contract. `ms` is the model's time, decoding excluded. */
function jsonLine({ file, reading }: FileReading): string {
  const { verdict, probability, ms } = reading;
  return JSON.stringify({
    file,
    verdict,
    probability,
    reasons: reasonsOf(reading),
    ms: Math.round(ms * 10) / 10,
  });
}

/** Reasons as strings that start with the stable code: `truncated: The picture is cut off …`. */
export function reasonsOf({ reasons }: Reading): string[] {
  return reasons.map(({ code, message }) => `${code}: ${message}`);
}

function tableLine(files: string[]): (result: FileReading) => string {
  const names = shortNames(files);
  const width = Math.min(48, Math.max(...[...names.values()].map((name) => name.length)));
  const verdictWidth = Math.max(...Object.values(WORDS).map((word) => word.length));
  return ({ file, reading }) => {
    const { verdict, probability, reasons } = reading;
    const percent = probability === null ? '' : `${(probability * 100).toFixed(1)} %`;
    const tail =
      verdict === 'refused'
        ? reasons.map(({ message }) => message).join(' ')
        : `${reading.ms.toFixed(0)} ms`;
    return `${names.get(file)!.padEnd(width)}  ${WORDS[verdict].padEnd(verdictWidth)}  ${percent.padStart(7)}  ${tail}`;
  };
}

/** Base names where they tell the files apart, else the paths as given. */
function shortNames(files: string[]): Map<string, string> {
  const distinct = new Set(files.map((file) => basename(file))).size === new Set(files).size;
  return new Map(files.map((file) => [file, distinct ? basename(file) : file]));
}
