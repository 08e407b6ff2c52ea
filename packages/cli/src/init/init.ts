/** `inmesh init`: looks at a package, asks or is told, writes, and says how to take it back. */

import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, isAbsolute, join } from "node:path";
import { isDnsLabel } from "@inmesh/core/internal";
import type { Cli } from "../cli.js";
import { dnsLabel } from "../dev/service-name.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { formatOf } from "../options.js";
import { printData } from "../output/format.js";
import { printable } from "../output/paint.js";
import { SETTINGS_FILE } from "../registry/settings-file.js";
import type { InitOptions } from "./command.js";
import { type Detected, detect } from "./detect.js";
import { type Manifest, readManifest, withScript } from "./manifest.js";
import { type Answers, makePlan, type Plan } from "./plan.js";
import { type Prompter, terminalPrompter } from "./prompter.js";

const NO_LABEL = "Use lower-case letters, digits and hyphens, at most 63.";

export async function initPackage(cli: Cli, options: InitOptions): Promise<ExitCode> {
  const { cwd, stdin, stdout, prompter } = cli.io;
  const manifest = readManifest(cwd);
  const { force = false, yes = false, dryRun = false } = options;
  if (existsSync(join(cwd, SETTINGS_FILE)) && !force) {
    throw new CliError(
      EXIT.bad,
      `this package is initialised already: ${SETTINGS_FILE} is there`,
      "Change it by hand, or write it anew with --force.",
    );
  }
  const interactive = stdin.isTTY === true && stdout.isTTY === true;
  if (!interactive && !yes && !dryRun) {
    throw new CliError(
      EXIT.usage,
      "nobody can be asked here, since this is no terminal",
      "Add --yes to take the defaults, and --dry-run to see them first.",
    );
  }
  const detected = detect(cwd, manifest);
  const defaults = answersFrom(options, manifest, cwd);
  const asks = interactive && !yes && !dryRun ? (prompter ?? (await terminalPrompter())) : undefined;
  const answers = asks === undefined ? defaults : await ask(asks, defaults);
  if (answers === undefined) return stopped(cli);
  const plan = makePlan(cwd, manifest, answers, force, withScript);
  if (asks !== undefined) {
    cli.print(`${planText(plan, cli, "will")}`);
    if ((await asks.confirm("Write this?")) !== true) return stopped(cli);
  }
  if (!dryRun) await write(plan, cwd);
  report(cli, options, answers, detected, plan);
  return EXIT.ok;
}

function stopped(cli: Cli): ExitCode {
  cli.warn("stopped; nothing was written");
  return EXIT.interrupted;
}

/** @throws {CliError} for names that cannot be used */
function answersFrom(options: InitOptions, { name }: Manifest, cwd: string): Answers {
  const service = options.service ?? dnsLabel(name.replace(/^@[^/]*\//, "")) ?? "app";
  const namespace = options.namespace ?? "default";
  for (const given of [service, namespace]) {
    if (!isDnsLabel(given))
      throw new CliError(EXIT.usage, `"${given}" is no name for a service or namespace`, NO_LABEL);
  }
  const config =
    options.config ?? (existsSync(join(cwd, "mesh")) || !existsSync(join(cwd, "..", "mesh")) ? "./mesh" : "../mesh");
  return {
    service,
    namespace,
    config,
    script: options.script === false ? undefined : (options.script ?? "start:mesh"),
  };
}

async function ask(prompter: Prompter, defaults: Answers): Promise<Answers | undefined> {
  const label = (text: string): string | undefined => (isDnsLabel(text) ? undefined : NO_LABEL);
  const service = await prompter.text({
    message: "Name under which others call it",
    initial: defaults.service,
    check: label,
  });
  if (service === undefined) return undefined;
  const namespace = await prompter.text({ message: "Namespace", initial: defaults.namespace, check: label });
  if (namespace === undefined) return undefined;
  const config = await prompter.text({
    message: "Registry: a folder that all services of the mesh share",
    initial: defaults.config,
    check: (text) => (text.trim() === "" ? "Write a path, such as ./mesh or ../mesh." : undefined),
  });
  return config === undefined ? undefined : { ...defaults, service, namespace, config };
}

async function write({ files }: Plan, cwd: string): Promise<void> {
  for (const { path, action, text } of files) {
    if (text === undefined) continue;
    const target = isAbsolute(path) ? path : join(cwd, path);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, text, { flag: action === "create" ? "wx" : "w" }); // what came in between is not ours
  }
}

function report(cli: Cli, options: InitOptions, answers: Answers, detected: readonly Detected[], plan: Plan): void {
  const format = formatOf(options);
  const { dryRun = false } = options;
  const { files, command, next, undo } = plan;
  if (format === "json" || format === "yaml") {
    const { service, namespace, config, script } = answers;
    const written = files.map(({ path, action, about }) => ({ path, action, about }));
    const made = command === undefined || script === undefined ? null : { name: script, command };
    printData(cli, format, { service, namespace, config, script: made, detected, files: written, next, undo, dryRun });
    return;
  }
  const line = (title: string, texts: readonly string[]): void => {
    for (const [at, text] of texts.entries())
      cli.print(`${cli.paint("bold", (at === 0 ? title : "").padEnd(9))} ${printable(text)}\n`);
  };
  line("found", foundText(detected));
  cli.print(planText(plan, cli, dryRun ? "would" : "did"));
  if (command === undefined && answers.script !== undefined)
    line("no script", ["package.json has no start script, and no file looks like the program's entry"]);
  if (dryRun) return cli.note("Nothing was written: --dry-run.");
  line("next", next);
  line("undo", undo);
}

function foundText(detected: readonly Detected[]): string[] {
  if (detected.length === 0) return ["no server and no HTTP client that is known here"];
  const name = ({ name: each, range }: Detected): string => (range === "" ? each : `${each} ${range}`);
  const list = (role: Detected["role"]): string =>
    detected
      .filter((each) => each.role === role)
      .map(name)
      .join(", ") || "none";
  const notes = detected.filter(({ note }) => note !== "").map(({ name: each, note }) => `${each}: ${note}`);
  return [
    `server ${list("server")}; clients ${list("client")}: meshed without a change of code${notes.length > 0 ? ", except:" : ""}`,
    ...notes,
  ];
}

const DID = { create: "wrote", overwrite: "replaced", change: "changed", keep: "kept" } as const;

function planText({ files }: Plan, { paint }: Cli, tense: "did" | "will" | "would"): string {
  const width = Math.max(...files.map(({ path }) => path.length));
  return files
    .map(({ path, action, about }) => {
      const verb = tense === "did" || action === "keep" ? DID[action] : `${tense} ${action}`;
      return `${paint("bold", verb.padEnd(tense === "did" ? 9 : 15))} ${printable(`${path.padEnd(width)}  ${about}`)}\n`;
    })
    .join("");
}
