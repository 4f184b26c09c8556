import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { type BackendName, openBackend } from '../../training/backend.ts';
import { scanFolder, splitByPatient } from '../../training/dataset.ts';
import { prepareFilms } from '../../training/films.ts';
import { createRun, openRun, type RunMetrics, type TrainConfig } from '../../training/run.ts';
import { DEFAULT_CONFIG, train } from '../../training/train.ts';
import { requireFolder } from '../paths.ts';
import { createProgress } from '../progress.ts';

interface TrainOptions {
  run?: string;
  resume?: string;
  epochs: number;
  batch: number;
  learningRate: number;
  seed: number;
  backend?: BackendName;
  json?: boolean;
}

const whole = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Give a whole number.');
  return value;
};

const positive = (text: string): number => {
  const value = Number(text);
  if (!(value > 0)) throw new InvalidArgumentError('Give a number above 0.');
  return value;
};

/** `bellows train`: a folder of films becomes a run folder with a trained network. */
export function trainCommand(): Command {
  return new Command('train')
    .description('train the network on a folder of films with NORMAL/ and PNEUMONIA/')
    .argument('[dir]', 'folder of films (not needed with --resume)')
    .option('--run <folder>', 'new run folder (default: runs/<date and time>)')
    .option('--resume <folder>', 'go on with a run that was stopped')
    .option('--epochs <n>', 'passes over the films', whole, DEFAULT_CONFIG.epochs)
    .option('--batch <n>', 'films a step', whole, DEFAULT_CONFIG.batch)
    .option(
      '--learning-rate <x>',
      'peak of the schedule',
      positive,
      DEFAULT_CONFIG.optimizer.learningRate,
    )
    .option(
      '--seed <n>',
      'fixes split, initial weights and augmentation',
      whole,
      DEFAULT_CONFIG.seed,
    )
    .option(
      '--backend <name>',
      'tensorflow or wasm (default: the faster one that works)',
      (name) => {
        if (name !== 'tensorflow' && name !== 'wasm')
          throw new InvalidArgumentError('tensorflow or wasm');
        return name;
      },
    )
    .option('--json', 'one JSON object a line on standard output: epochs, then the result')
    .action(run);
}

async function run(
  dir: string | undefined,
  options: TrainOptions,
  command: Command,
): Promise<void> {
  if ((dir === undefined) === (options.resume === undefined)) {
    command.error('Give a folder of films, or --resume with a run folder.', { exitCode: 2 });
  }
  await requireFolder((options.resume ?? dir)!);
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const emit = (value: object) => {
    if (options.json) process.stdout.write(JSON.stringify(value) + '\n');
  };

  const folder =
    options.resume ??
    options.run ??
    join('runs', new Date().toISOString().slice(0, 19).replaceAll(':', '-'));
  const { config, split } =
    options.resume === undefined ? await begin(dir!, folder, options, say) : await openRun(folder);

  const backend = await openBackend(options.backend);
  say(`Engine: ${backend.description}`);
  if (backend.fallback) say(`Slower than it could be: ${backend.fallback}.`);

  const files = [...split.train, ...split.validation];
  const preparing = createProgress('Preparing films', files.length);
  const films = await prepareFilms(files, (done) => preparing.update(done));
  preparing.done();
  for (const { path, reason } of films.unreadable) say(`Skipped ${path}: ${reason}`);
  if (films.unreadable.length > 0) say(`Skipped ${films.unreadable.length} unreadable files.`);

  const stop = new AbortController();
  const onSignal = () => {
    if (stop.signal.aborted) process.exit(1);
    say('\nStopping after this step; once more to stop at once, without a checkpoint.');
    stop.abort();
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);

  let progress: ReturnType<typeof createProgress> | undefined;
  const outcome = await train(backend, { dir: folder, config, split }, films, stop.signal, {
    onStep: ({ step, steps, loss, imagesPerSecond }) => {
      progress ??= createProgress('Training', steps, { start: step - 1 });
      progress.update(step, `${imagesPerSecond.toFixed(1)} images/s, loss ${loss.toFixed(3)}`);
    },
    onEpoch: (log) => {
      emit(log);
      say(
        `Epoch ${log.epoch}/${config.epochs}: loss ${log.loss.toFixed(4)}, validation AUC ` +
          `${log.auc.toFixed(4)}, under stress ${log.stressAuc.toFixed(4)}, ` +
          `${log.imagesPerSecond.toFixed(1)} images/s`,
      );
    },
  });
  progress?.done();

  if (outcome.state === 'stopped') {
    emit({ run: folder, state: 'stopped', step: outcome.step, steps: outcome.steps });
    throw new Error(
      `Stopped at step ${outcome.step} of ${outcome.steps}. Nothing is lost; go on with: ` +
        `bellows train --resume ${folder}`,
    );
  }
  emit({ run: folder, state: 'finished', ...outcome.metrics });
  if (!options.json) process.stdout.write(summary(folder, outcome.metrics));
}

async function begin(
  dir: string,
  folder: string,
  options: TrainOptions,
  say: (text: string) => void,
): Promise<{ config: TrainConfig; split: Awaited<ReturnType<typeof openRun>>['split'] }> {
  const { files, skipped } = await scanFolder(dir);
  for (const path of skipped) say(`Skipped ${path}: no JPEG or PNG file.`);
  const config: TrainConfig = {
    ...DEFAULT_CONFIG,
    data: dir,
    seed: options.seed,
    epochs: options.epochs,
    batch: options.batch,
    optimizer: { ...DEFAULT_CONFIG.optimizer, learningRate: options.learningRate },
  };
  const split = splitByPatient(files, config.validationShare, config.seed);
  await createRun(folder, config, split);
  say(`Run folder: ${folder}`);
  return { config, split };
}

function summary(folder: string, metrics: RunMetrics): string {
  const { validation, stress, operatingPoint } = metrics;
  const line = (name: string, { auc, accuracy, sensitivity, specificity }: RunMetrics['stress']) =>
    `  ${name.padEnd(22)} AUC ${auc.value.toFixed(4)}  accuracy ${percent(accuracy.value)}  ` +
    `sensitivity ${percent(sensitivity.value)}  specificity ${percent(specificity.value)}\n`;
  return (
    `Finished in ${(metrics.seconds / 60).toFixed(1)} min, ` +
    `peak memory ${(metrics.peakMemoryBytes / 2 ** 30).toFixed(1)} GiB.\n` +
    line('held-out patients', validation) +
    line('the same under stress', stress) +
    `  threshold ${operatingPoint.threshold.toFixed(3)} (${operatingPoint.chosenOn})\n` +
    `Next: bellows export ${folder}\n`
  );
}

const percent = (share: number): string => `${(share * 100).toFixed(1)} %`;
