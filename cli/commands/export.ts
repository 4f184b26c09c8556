import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import type { Metrics } from '../../reader/card.ts';
import { requireFolder } from '../paths.ts';
import { createProgress, type Progress } from '../progress.ts';
import type { ExportPhase, ExportResult } from '../../export/export.ts';

interface ExportCommandOptions {
  out?: string;
  images?: string;
  modelName?: string;
  json?: boolean;
}

const PHASES: Record<ExportPhase, string> = {
  preparing: 'Preparing training films',
  quantizing: 'Choosing the int8 scales',
  comparing: 'Comparing the models',
};

/** `bellows export`: a finished run becomes the ONNX files and the card that ship. */
export function exportCommand(): Command {
  return new Command('export')
    .description('turn a trained run into the ONNX files and the model card that ship')
    .argument('<run>', 'run folder that bellows train has finished')
    .option('--out <dir>', 'folder to write to (default: export/ in the run folder)')
    .option('--images <dir>', "the run's films, if they have moved since the training")
    .option('--model-name <name>', 'name in the card (default: bellows- and the date)')
    .option('--json', 'the result as one JSON object: card, quantization, unreadable')
    .addHelpText(
      'after',
      '\nThe files are written only when they say what the trained network says: on the held-out\n' +
        'films, float32 logits may differ by at most 0.001 and the AUC of each file that ships may\n' +
        'fall by at most 0.003.',
    )
    .action(run);
}

async function run(dir: string, options: ExportCommandOptions): Promise<void> {
  await requireFolder(dir);
  if (options.images !== undefined) await requireFolder(options.images);
  const { openBackend } = await import('../../training/backend.ts');
  const { loadRun } = await import('../../training/run.ts');
  const { relocate } = await import('../../export/films.ts');
  const { defaultName, exportRun } = await import('../../export/export.ts');

  // The native engine may round to bfloat16; parity is about the last digits of float32.
  const { tf } = await openBackend('wasm');
  const loaded = await loadRun(tf, dir);
  if (options.images !== undefined) {
    const { train, validation } = loaded.split;
    loaded.split = {
      train: await relocate(train, options.images),
      validation: await relocate(validation, options.images),
    };
  }

  const date = new Date();
  const report = phaseReport();
  const result = await exportRun({
    tf,
    run: loaded,
    out: options.out ?? join(dir, 'export'),
    name: options.modelName ?? defaultName(date),
    date,
    version: projectVersion(),
    onProgress: report.update,
  });
  report.end();
  for (const { path, reason } of result.unreadable) {
    process.stderr.write(`Skipped ${path}: ${reason}\n`);
  }
  process.stdout.write(options.json ? `${JSON.stringify(result)}\n` : summary(result));
}

/** One progress line after the other, as the phases come. */
function phaseReport() {
  let current: { phase: ExportPhase; progress: Progress } | undefined;
  const end = () => current?.progress.done();
  return {
    update(phase: ExportPhase, done: number, total: number) {
      if (current?.phase !== phase) {
        end();
        const progress = createProgress(PHASES[phase], total, { unit: 'images' });
        current = { phase, progress };
      }
      current.progress.update(done);
    },
    end,
  };
}

function projectVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function summary({ out, card, quantization }: ExportResult): string {
  const { parity, files } = card;
  const [best, ...others] = quantization.trials.map(
    ({ method, meanError }) => `${method} (${meanError.toFixed(4)})`,
  );
  const lines = [
    `${card.name} written to ${out}`,
    ...Object.values(files).map(
      ({ file, bytes, precision }) =>
        `  ${file.padEnd(20)} ${(bytes / 1e6).toFixed(2)} MB  ${precision}`,
    ),
    `  scales by ${best}, mean error of the logit; others: ${others.join(', ')}`,
    `  float32 logits within ${parity.fp32MaxLogitDifference.toExponential(1)} of TensorFlow.js ` +
      `on ${parity.images} films`,
    `  AUC ${parity.fp32Auc.toFixed(4)} float32, ${parity.int8Auc.toFixed(4)} int8, ` +
      `${parity.webgpuAuc.toFixed(4)} WebGPU`,
    ...Object.entries(card.metrics).map(([name, metrics]) => metricsLine(name, metrics)),
  ];
  return `${lines.join('\n')}\n`;
}

function metricsLine(name: string, metrics: Metrics): string {
  const { accuracy, sensitivity, specificity, threshold } = metrics;
  const percent = (share: number) => `${(share * 100).toFixed(1)} %`;
  return (
    `  ${name}: accuracy ${percent(accuracy.value)}, sensitivity ${percent(sensitivity.value)}, ` +
    `specificity ${percent(specificity.value)} at ${threshold.toFixed(3)}`
  );
}
