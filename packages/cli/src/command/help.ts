/** `inmesh help`: a command, or a code that inmesh says somewhere, explained offline. */

import { nearestName } from "@inmesh/model/internal";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { allCodes, type ExplainedCode, explainCode, plainText } from "../codes/explain-code.js";
import { CliError, EXIT, type ExitCode } from "../exit.js";
import { type CommonOptions, formatOf, withCommon } from "../options.js";
import { LIST_FORMATS, printData, printListing } from "../output/format.js";
import { action, type CommandPorts } from "./define.js";

const EXAMPLES = `
Examples:
  inmesh help explain                a command
  inmesh help IST0101                a problem of configuration
  inmesh help NO_ENDPOINT            an error of a call
  inmesh help codes                  every code there is
`;

const CODES = "codes";

export function helpCommand(ports: CommandPorts): Command {
  const command = new Command("help")
    .description("describe a command, or explain a code: help IST0101, help TIMEOUT")
    .argument("[topic]", "a command, a code, or: codes")
    .addHelpText("after", EXAMPLES);
  return withCommon(command, LIST_FORMATS).action(
    action<[string | undefined], CommonOptions>(ports, async (cli, [topic], options) => {
      const program = command.parent ?? command;
      if (topic === undefined) return printHelp(program, options);
      const named = program.commands.find((each) => each.name() === topic);
      if (named !== undefined) return printHelp(named, options);
      if (topic === CODES) return printCodes(cli, options);
      const explained = explainCode(topic);
      if (explained === undefined) throw unknownTopic(topic, program);
      const format = formatOf(options);
      if (format === "json" || format === "yaml") printData(cli, format, explained);
      else cli.print(format === "name" ? `${explained.code}\n` : explanationText(cli, explained));
      return EXIT.ok;
    }),
  );
}

function printHelp(command: Command, options: CommonOptions): ExitCode {
  if (formatOf(options) !== "table") {
    throw new CliError(EXIT.usage, "the help of a command is text only", "Leave -o out, or name a code.");
  }
  command.outputHelp();
  return EXIT.ok;
}

function printCodes(cli: Cli, options: CommonOptions): ExitCode {
  const rows = allCodes().flatMap((code) => explainCode(code) ?? []);
  printListing(cli, formatOf(options), {
    rows,
    json: { codes: rows },
    name: ({ code }) => code,
    empty: "",
    columns: [
      { title: "CODE", cell: ({ code }) => code },
      { title: "SEVERITY", cell: ({ type, severity }) => (type === "error" ? "call fails" : usual(severity)) },
      { title: "MEANING", cell: ({ meaning }) => plainText(meaning) },
      { title: "WHAT TO DO", cell: ({ remedy }) => plainText(remedy), wide: true },
    ],
  });
  return EXIT.ok;
}

/** `info` of `info; warning when …`. */
function usual(severity: string | null): string {
  return /^\w+/.exec(severity ?? "")?.[0] ?? "";
}

function unknownTopic(topic: string, program: Command): CliError {
  const names = [...program.commands.map((each) => each.name()), CODES];
  const near = nearestName(topic, [...names, ...allCodes()]) ?? nearestName(topic.toUpperCase(), allCodes());
  const advice = near === undefined ? "See: inmesh help codes" : `Did you mean "${near}"? See also: inmesh help codes`;
  return new CliError(EXIT.usage, `"${topic}" is no command and no code`, advice);
}

function explanationText({ paint }: Cli, explained: ExplainedCode): string {
  const { code, type, meaning, severity, remedy, example, good } = explained;
  const facts = type === "problem" ? `problem of configuration, severity ${severity}` : errorFacts(explained);
  const parts = [`${paint("bold", code)}  ${facts}\n`, `  ${plainText(meaning)}\n`];
  if (remedy !== "") parts.push(`\nWhat to do\n${indent(wrap(sentence(plainText(remedy)), 96))}`);
  if (example !== "") parts.push(`\nExample\n${indent(example.trimEnd())}`);
  if (good !== null) parts.push(`\nPut right\n${indent(good.trimEnd())}`);
  return parts.join("");
}

function errorFacts({ status, grpcStatus, retryable, flag }: ExplainedCode): string {
  const http = status === 0 ? "no HTTP answer" : `HTTP ${status}`;
  const again = retryable === true ? "trying elsewhere may help" : "not retryable";
  return `error of a call: ${http}, gRPC ${grpcStatus}, ${again}${flag === "-" ? "" : `, flag ${flag}`}`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `${`  ${line}`.trimEnd()}\n`)
    .join("");
}

/** At blanks. */
function wrap(text: string, columns: number): string {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > columns) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines.join("\n");
}
