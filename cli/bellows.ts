import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { EXIT, UsageError } from './errors.ts';

/**
 * The commands in the order of the work. Each is loaded only when it is asked for: TensorFlow and
 * the server take seconds to load, `--help` should not.
 */
const COMMANDS: { name: string; description: string; load: () => Promise<Command> }[] = [
  {
    name: 'explore',
    description: 'count and check a folder of films before training',
    load: async () => (await import('./commands/explore.ts')).exploreCommand(),
  },
  {
    name: 'train',
    description: 'train the network on a folder of films with NORMAL/ and PNEUMONIA/',
    load: async () => (await import('./commands/train.ts')).trainCommand(),
  },
  {
    name: 'export',
    description: 'turn a trained run into the ONNX files and the model card that ship',
    load: async () => (await import('./commands/export.ts')).exportCommand(),
  },
  {
    name: 'evaluate',
    description: 'measure the model on a folder of films with known answers',
    load: async () => (await import('./commands/evaluate.ts')).evaluateCommand(),
  },
  {
    name: 'read',
    description: 'read films: verdict and probability for each file',
    load: async () => (await import('./commands/read.ts')).readCommand(),
  },
  {
    name: 'serve',
    description: 'serve the app and receive its records',
    load: async () => (await import('./commands/serve.ts')).serveCommand(),
  },
];

/** Builds the program; only the command that `args` ask for is loaded, the others are named. */
async function createProgram(args: string[]): Promise<Command> {
  const { version } = JSON.parse(
    readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
  ) as { version: string };
  const program = new Command('bellows')
    .description('An offline second reader for chest X-rays of children.')
    .version(version)
    .showHelpAfterError('(bellows --help lists the commands and their options)')
    .exitOverride();
  const words = args.filter((word) => !word.startsWith('-'));
  const asked = words[0] === 'help' ? words[1] : words[0];
  for (const { name, description, load } of COMMANDS) {
    const command = name === asked ? await load() : new Command(name);
    // `addCommand`, unlike `command`, hands nothing down.
    program.addCommand(command.description(description).copyInheritedSettings(program));
  }
  return program;
}

/**
 * Runs the command line.
 * @param args without the program and script names.
 * @returns the exit code: 0 done, 1 failed, 2 wrong usage.
 */
async function main(args: string[]): Promise<number> {
  try {
    const program = await createProgram(args);
    await program.parseAsync(args, { from: 'user' });
    return Number(process.exitCode ?? EXIT.done);
  } catch (error) {
    return report(error);
  }
}

/** One clear line on stderr; the stack only for those who ask for it. */
function report(error: unknown): number {
  if (error instanceof CommanderError) {
    // Commander has printed its message. Its own code for wrong usage is 1.
    if (error.exitCode === 0 || error.code === 'commander.error') return error.exitCode;
    return EXIT.usage;
  }
  const { message, stack } =
    error instanceof Error ? error : { message: String(error), stack: undefined };
  // Over a progress line that was not ended.
  const fresh = process.stderr.isTTY ? '\r\x1b[2K' : '';
  process.stderr.write(`${fresh}bellows: ${message.trim()}\n`);
  if (process.env.DEBUG === 'bellows' && stack) process.stderr.write(`${stack}\n`);
  return error instanceof UsageError ? EXIT.usage : EXIT.failed;
}

// A reader that has seen enough (`bellows read … | head`) is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  throw error;
});

process.exitCode = await main(process.argv.slice(2));
