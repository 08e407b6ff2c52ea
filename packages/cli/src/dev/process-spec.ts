/**
 * What `inmesh dev` was asked to run: `[name[@version]=][VARIABLE=value]… command…`, several of them separated by `--`.
 * A service's name is lower-case and a variable's upper-case, so the two cannot be mixed up.
 */

import { CliError, EXIT } from "../exit.js";
import { serviceNames } from "./service-name.js";

export interface ProcessSpec {
  /** DNS label. */
  readonly service: string;
  /** Label `version`; absent when not told. */
  readonly version?: string;
  /** Program and arguments, at least one. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

interface Unnamed extends Omit<ProcessSpec, "service"> {
  readonly service: string | undefined;
}

const NAMED = /^([a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?)(?:@([A-Za-z0-9][-\w.]{0,62}))?=(.*)$/s;
const VARIABLE = /^([A-Z_][A-Z0-9_]*)=(.*)$/s;

/**
 * @param args as they came after `inmesh dev`, with or without the first `--`
 * @throws {CliError} usage
 */
export function parseProcessSpecs(args: readonly string[], cwd: string): ProcessSpec[] {
  const specs = splitAtDashes(args).map((words) => parseOne(words, cwd));
  const names = serviceNames(specs);
  const seen = new Set<string>();
  return specs.map((spec, index) => {
    const service = names[index]!; // one name per spec
    // A second replica on the first one's port could not start.
    const env = seen.has(service) ? { PORT: "0", ...spec.env } : spec.env;
    seen.add(service);
    return { ...spec, service, env };
  });
}

function splitAtDashes(args: readonly string[]): string[][] {
  const commands: string[][] = [[]];
  for (const word of args) {
    if (word === "--") commands.push([]);
    else commands.at(-1)!.push(word); // never empty
  }
  return commands.filter((words) => words.length > 0);
}

/**
 * One command, in which a later `--` is the program's own.
 *
 * @param args as they came after `inmesh run`, with or without the first `--`
 * @throws {CliError} usage
 */
export function parseProcessSpec(args: readonly string[], cwd: string): Omit<ProcessSpec, "service"> & NamedOrNot {
  const words = args[0] === "--" ? args.slice(1) : args;
  const { service, ...spec } = parseOne(words, cwd);
  const [found = ""] = serviceNames([{ service, ...spec }]);
  return { ...spec, given: service, found };
}

export interface NamedOrNot {
  /** Name before the command: `web=node web.js`. */
  readonly given: string | undefined;
  /** That name, else the one that package.json or the script suggests. */
  readonly found: string;
}

function parseOne(words: readonly string[], cwd: string): Unnamed {
  const rest = [...words];
  const [, service, version, first = ""] = NAMED.exec(rest[0] ?? "") ?? [];
  if (service !== undefined) rest.splice(0, 1, ...(first === "" ? [] : [first]));
  const env: Record<string, string> = {};
  for (let match = VARIABLE.exec(rest[0] ?? ""); match !== null; match = VARIABLE.exec(rest[0] ?? "")) {
    env[match[1]!] = match[2]!; // both groups always take part
    rest.shift();
  }
  if (rest.length === 0) {
    throw new CliError(
      EXIT.usage,
      `"${words.join(" ")}" names no command`,
      "Write what to run after --, for instance: -- reviews=node b.js",
    );
  }
  return { service, ...(version !== undefined && { version }), command: rest, env, cwd };
}
