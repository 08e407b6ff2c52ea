/** Joins a command's action to the world, its exit code and the options every command has. */

import type { Cli } from "../cli.js";
import { createCli } from "../cli.js";
import type { ChildExitCode } from "../exit.js";
import type { Io } from "../io.js";
import { formatMs } from "../output/format.js";

export interface CommandPorts {
  readonly io: Io;
  /** Tells the exit code of a command that did what it was asked to. */
  readonly end: (code: ChildExitCode) => void;
}

interface Switches {
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color?: boolean;
}

/**
 * An action of commander from a function of its arguments and options.
 * @param act resolves with the exit code; rejects with a CliError for what it cannot do
 */
export function action<Arguments extends readonly unknown[], Options extends Switches>(
  { io, end }: CommandPorts,
  act: (cli: Cli, args: Arguments, options: Options) => Promise<ChildExitCode>,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    // commander passes the arguments, then the options, then the command.
    const options = given.at(-2) as Options;
    const { quiet = false, verbose = false, color = true } = options;
    const cli = createCli(io, { quiet, verbose, colour: color });
    const startedAt = io.clock.now();
    const code = await act(cli, given.slice(0, -2) as unknown as Arguments, options);
    cli.trace(`done after ${formatMs(io.clock.now() - startedAt)}, exit code ${code}`);
    end(code);
  };
}
