import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bellows } from './run.ts';

const COMMANDS = ['explore', 'train', 'export', 'evaluate', 'read', 'serve'];

describe('bellows', () => {
  it('lists every command and ends well', async () => {
    const began = performance.now();
    const { code, stdout } = await bellows(['--help']);
    expect(performance.now() - began).toBeLessThan(5000);
    expect(code).toBe(0);
    for (const name of COMMANDS) expect(stdout).toMatch(new RegExp(`^  ${name}\\s+\\w+`, 'm'));
  });

  it('tells its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await bellows(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each(COMMANDS)('%s has its own help', async (name) => {
    const help = await bellows([name, '--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain(`Usage: bellows ${name}`);
    // The list's help would not know the options.
    expect(help.stdout.match(/^ {2}-/gm)!.length).toBeGreaterThan(1);
    expect(await bellows(['help', name])).toEqual(help);
  });

  it.each([
    [[], 'Usage: bellows'],
    [['reed'], "unknown command 'reed'"],
    [['--jason'], "unknown option '--jason'"],
    [['read'], "missing required argument 'file'"],
    [['read', '--bogus', 'x.jpeg'], "unknown option '--bogus'"],
    [['read', '--model'], "option '--model <file>' argument missing"],
    [['evaluate'], "missing required argument 'dir'"],
    [['read', '--model', 'no-such.onnx', 'x.jpeg'], 'There is no file no-such.onnx'],
    [['evaluate', 'no-such-folder'], 'There is no folder no-such-folder'],
    [['evaluate', 'package.json'], 'package.json is a file'],
  ])('says what is wrong with %j and exits with 2', async (args, message) => {
    const { code, stdout, stderr } = await bellows(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('shows the stack only to those who ask', async () => {
    const { code, stderr } = await bellows(['evaluate', 'no-such-folder'], { DEBUG: 'bellows' });
    expect(code).toBe(2);
    expect(stderr).toMatch(/\n\s+at /);
  });
});
