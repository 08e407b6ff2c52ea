/** The command line as commander sees it: one program, its commands, and how each failure ends. */

import { MeshError, messageOf } from "@inmesh/core";
import { Command, CommanderError } from "commander";
import { COMMANDS } from "./commands.js";
import { type ChildExitCode, CliError, EXIT, type ExitCode, systemReason } from "./exit.js";
import type { Io } from "./io.js";
import { createPaint, printable } from "./output/paint.js";
import { VERSION } from "./version.js";

const DESCRIPTION = `A service mesh inside the Node process: discovery, routing, retries and policy for your services,
steered by Istio YAML in a folder or in Consul. No sidecar, nothing to deploy.`;

const START = `
Start here:
  inmesh dev -- node a.js -- node b.js     run your own services as a mesh, unchanged
  inmesh check                             is everything in place?
  inmesh explain GET http://reviews/api    where would this request go, and why?

Exit codes: 0 done, 1 what was asked about is bad, 2 wrong usage, 3 unreachable, 4 timeout, 130 interrupted.
`;

/** Runs one command line. Never throws; says on stderr what went wrong. @param argv without node and script */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  let result: ChildExitCode = EXIT.ok;
  const program = createProgram(io, (code) => {
    result = code;
  });
  try {
    await program.parseAsync([...argv], { from: "user" });
    return result;
  } catch (error) {
    return fail(error, io, argv.includes("--no-color"));
  }
}

export function createProgram(io: Io, end: (code: ChildExitCode) => void): Command {
  const program = new Command("inmesh")
    .description(DESCRIPTION)
    .usage("<command> [options]")
    .version(`inmesh ${VERSION}`, "-V, --version", "print the version")
    .helpCommand(false) // ours explains codes, too
    .addHelpText("after", START)
    .enablePositionalOptions();
  for (const { group, create, hidden = false } of COMMANDS) {
    program.addCommand(create({ io, end }).helpGroup(group), { hidden });
  }
  configure(program, io);
  return program;
}

/** A command and those below it. */
function configure(command: Command, io: Io, above = ""): void {
  const name = `${above}${command.name()}`;
  command
    .exitOverride()
    .showSuggestionAfterError(true)
    .showHelpAfterError(`Try: ${name} --help`)
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: (text, write) => write(text.replace(/^error: /, "inmesh: ")),
      getOutHelpWidth: () => Math.min(io.stdout.columns ?? 100, 120),
      getErrHelpWidth: () => Math.min(io.stderr.columns ?? 100, 120),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
  for (const below of command.commands) configure(below, io, `${name} `);
}

function fail(error: unknown, io: Io, plain: boolean): ExitCode {
  if (error instanceof CommanderError) {
    // commander has said what is wrong; help and version end this way too.
    return error.exitCode === 0 || error.code === "commander.helpDisplayed" ? EXIT.ok : EXIT.usage;
  }
  if (io.signal.aborted) return EXIT.interrupted;
  const paint = createPaint(io.stderr, plain ? { FORCE_COLOR: "0" } : io.env);
  const say = (message: string, advice: string): void => {
    const fact = printable(message).replace(/\.$/, "");
    io.stderr.write(`${paint("red", "inmesh:")} ${fact}. ${printable(advice)}\n`);
  };
  if (error instanceof CliError) {
    say(error.message, error.advice);
    return error.exitCode;
  }
  if (error instanceof MeshError) {
    const away = error.code === "CONFIG_UNAVAILABLE";
    say(
      error.message,
      away ? "Check that the folder is there and that you may write to it." : "Correct it and try again.",
    );
    return away ? EXIT.unreachable : EXIT.bad;
  }
  const reason = systemReason(error);
  if (reason !== undefined) {
    const path = error instanceof Error && "path" in error ? ` "${String(error.path)}"` : "";
    say(`the system refused to open${path}: ${reason}`, "Check the path and its permissions.");
    return EXIT.unreachable;
  }
  const message = messageOf(error);
  say(
    `unexpected failure: ${message}`,
    "This is a fault of inmesh; run again with INMESH_DEBUG=1 and report what it prints.",
  );
  if (io.env["INMESH_DEBUG"] && error instanceof Error) io.stderr.write(`${error.stack ?? ""}\n`);
  return EXIT.bad;
}
