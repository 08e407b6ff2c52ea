/** What may stand at the place of the last word of a command line, read from the commander tree and the registry. */

import type { Argument, Command, Option } from "commander";

export interface Candidate {
  readonly value: string;
  /** Shown beside it by shells that can. */
  readonly text: string;
}

/** What only the world knows. */
export interface Vocabulary {
  services(): Promise<readonly Candidate[]>;
  namespaces(): Promise<readonly Candidate[]>;
  /** `vs/reviews`, and the kinds themselves. */
  resources(): Promise<readonly Candidate[]>;
  codes(): readonly Candidate[];
}

/** The shell's own completion of files. */
export const FILES = "files";

/**
 * @param words after the program's name, the last one as far as it is typed
 * @returns those that begin with the last word
 */
export async function candidates(
  program: Command,
  words: readonly string[],
  vocabulary: Vocabulary,
): Promise<readonly Candidate[] | typeof FILES> {
  const [typed, before] = lastWord(words);
  let at = before.findIndex((word) => !word.startsWith("-"));
  let command = at < 0 ? undefined : program.commands.find((each) => each.name() === before[at]);
  if (at >= 0 && command === undefined) return [];
  // `ca rotate`: the word after a command that has commands.
  for (let below = command; below !== undefined && below.commands.length > 0; ) {
    below = below.commands.find((each) => each.name() === before[at + 1]);
    if (below === undefined) break;
    command = below;
    at += 1;
  }
  const options = (command ?? program).options;
  const found = await (async () => {
    const valued = optionWithValue(options, before.at(-1));
    if (valued !== undefined) return valuesOf(valued, vocabulary);
    if (before.includes("--", at + 1)) return FILES;
    if (typed.startsWith("-")) return optionCandidates(options);
    if (command === undefined) return commandCandidates(program);
    if (command.commands.length > 0) return commandCandidates(command);
    return argumentCandidates(program, command, positionals(command, before.slice(at + 1)), vocabulary);
  })();
  return found === FILES ? FILES : found.filter(({ value }) => value.startsWith(typed));
}

/** bash takes `--output=ya` apart at `=`; other shells leave it whole. */
function lastWord(words: readonly string[]): [typed: string, before: readonly string[]] {
  const joined: string[] = [];
  for (const word of words) {
    if (word === "=" && joined.at(-1)?.startsWith("--") === true) joined.push("");
    else if (joined.at(-1) === "" && joined.at(-2)?.startsWith("--") === true) joined[joined.length - 1] = word;
    else joined.push(word);
  }
  return [joined.at(-1) ?? "", joined.slice(0, -1)];
}

function optionWithValue(options: readonly Option[], word: string | undefined): Option | undefined {
  if (word === undefined) return undefined;
  return options.find((option) => option.required && (option.long === word || option.short === word));
}

function optionCandidates(options: readonly Option[]): Candidate[] {
  const shown = options.filter(({ hidden }) => !hidden);
  const own = shown.map(({ long, short, description }) => ({ value: long ?? short ?? "", text: description }));
  return [...own, { value: "--help", text: "display help for command" }];
}

function commandCandidates({ commands }: Command): Candidate[] {
  return commands
    .filter((command) => !command.name().startsWith("_"))
    .map((command) => ({ value: command.name(), text: command.description() }));
}

const CA_FILE_OPTIONS = ["--dir", "--root-out", "--root-cert", "--root-key"];
const FILE_OPTIONS = ["--config", "--file", "--requests", "--script", ...CA_FILE_OPTIONS];

async function valuesOf(option: Option, vocabulary: Vocabulary): Promise<readonly Candidate[] | typeof FILES> {
  if (option.argChoices !== undefined) return option.argChoices.map((value) => ({ value, text: "" }));
  if (option.long === "--namespace") return vocabulary.namespaces();
  if (option.long === "--from") return vocabulary.services();
  return FILE_OPTIONS.includes(option.long ?? "") ? FILES : [];
}

/** How many words of the command stand before the last one, options and their values left out. */
function positionals(command: Command, words: readonly string[]): number {
  return words.filter(
    (word, at) => !word.startsWith("-") && optionWithValue(command.options, words[at - 1]) === undefined,
  ).length;
}

async function argumentCandidates(
  program: Command,
  command: Command,
  position: number,
  vocabulary: Vocabulary,
): Promise<readonly Candidate[] | typeof FILES> {
  const { registeredArguments } = command;
  const last = registeredArguments.at(-1);
  const argument: Argument | undefined = registeredArguments[position] ?? (last?.variadic === true ? last : undefined);
  if (argument === undefined) return [];
  if (argument.argChoices !== undefined) return argument.argChoices.map((value) => ({ value, text: "" }));
  switch (argument.name()) {
    case "service":
      return vocabulary.services();
    case "kind/name":
    case "names":
      return vocabulary.resources();
    case "topic":
      return [...commandCandidates(program), ...vocabulary.codes()];
    case "method":
      return METHODS.map((value) => ({ value, text: "" }));
    case "files":
    case "csr":
    case "command":
      return FILES;
    default:
      return [];
  }
}

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
