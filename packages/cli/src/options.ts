/** Options that several commands share, so that they are spelled, described and read in one way. */

import { type Command, InvalidArgumentError, Option } from "commander";
import type { Cli } from "./cli.js";
import type { Format } from "./output/format.js";
import { readSettingsFile } from "./registry/settings-file.js";

export interface CommonOptions {
  readonly output: Format;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  /** `--no-color`. */
  readonly color: boolean;
}

export interface RegistryOptions extends CommonOptions {
  readonly config?: string;
  readonly namespace?: string;
  readonly allNamespaces?: boolean;
  /** Of commands that ask processes: those that the registry does not tell of. */
  readonly admin?: readonly string[];
  readonly remote?: boolean;
  /** In ms. */
  readonly timeout: number;
}

/** `-o`, `--json` and the switches; every command that prints data has them. */
export function withCommon(command: Command, formats: readonly Format[]): Command {
  return withSwitches(
    command
      .addOption(
        new Option("-o, --output <format>", "how to print the result")
          .choices(formats)
          .default(formats[0])
          .helpGroup(SHARED),
      )
      .addOption(new Option("--json", "the same as -o json").helpGroup(SHARED)),
  );
}

/** `-q`, `-v` and `--no-color`. */
export function withSwitches(command: Command): Command {
  return command
    .addOption(new Option("-q, --quiet", "print the result and errors only").helpGroup(SHARED))
    .addOption(
      new Option("-v, --verbose", "say on stderr what is read, who is asked, and how long it takes")
        .conflicts("quiet")
        .helpGroup(SHARED),
    )
    .addOption(new Option("--no-color", "print without colour, as NO_COLOR=1 does").helpGroup(SHARED));
}

/** `--config`, `-n` and `--timeout`, for commands that look into a registry. @param timeoutMs @default 10_000 */
export function withRegistry(command: Command, timeoutMs = 10_000): Command {
  return command
    .addOption(
      new Option(
        "--config <registry>",
        "its folder, consul://host:8500 or xds://host:15010 (default: INMESH_CONFIG, else inmesh.yaml, else ./mesh)",
      ).helpGroup(SHARED),
    )
    .addOption(new Option("-n, --namespace <name>", "namespace to look in, and of names without one").helpGroup(SHARED))
    .addOption(timeoutOption(timeoutMs, "give up after this long"));
}

/** `-A`, for lists: without `-n` they list every namespace, and a habit from kubectl should not be an error. */
export function withAllNamespaces(command: Command): Command {
  return command.addOption(
    new Option("-A, --all-namespaces", "list every namespace (the default)").conflicts("namespace").helpGroup(SHARED),
  );
}

/** Whether a list shows a row: those of `-n`, else all. */
export function inNamespace({
  namespace: wanted,
}: Pick<RegistryOptions, "namespace">): (row: { readonly namespace: string }) => boolean {
  return ({ namespace }) => wanted === undefined || namespace === wanted;
}

export function timeoutOption(timeoutMs: number, text: string): Option {
  return new Option("--timeout <duration>", text)
    .argParser(parseDuration)
    .default(timeoutMs, timeoutMs % 1000 === 0 ? `${timeoutMs / 1000}s` : `${timeoutMs}ms`)
    .helpGroup(SHARED);
}

const SHARED = "Options that most commands have:";

/** `500ms`, `2s`, `1m`, or a number of seconds. @returns ms @throws {InvalidArgumentError} */
export function parseDuration(text: string): number {
  const [, number, unit = "s"] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Number(number) * { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit as "s"];
  if (!(ms > 0 && ms <= 86_400_000)) {
    throw new InvalidArgumentError('Write a duration such as "2s" or "500ms", at most 24h.');
  }
  return ms;
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value];
}

export function formatOf({ output, json }: CommonOptions): Format {
  return json === true ? "json" : output;
}

/** Namespace of documents and names that do not say one. */
export function namespaceOf({ namespace }: { readonly namespace?: string }, { io }: Cli): string {
  return namespace ?? (io.env["INMESH_NAMESPACE"] || readSettingsFile(io.cwd).namespace || "default");
}
