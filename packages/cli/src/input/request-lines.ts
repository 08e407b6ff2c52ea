/** `--requests`: one answer for each line of a file, so that thousands are answered by one process. */

import { createReadStream } from "node:fs";
import { isAbsolute, join } from "node:path";
import { MeshError } from "@inmesh/core";
import type { Cli } from "../cli.js";
import { CliError, EXIT, type ExitCode, systemReason } from "../exit.js";
import { readLines } from "../io.js";

/** Answers are gathered and written in pieces: one write for each of thousands would take longer than they do. */
const PIECE_CHARACTERS = 64 * 1024;

/**
 * @param file `-` for standard input
 * @param answer of one line; what it throws about the line is that line's answer
 */
export async function answerLines(
  cli: Cli,
  file: string,
  answer: (line: string) => Promise<unknown>,
): Promise<ExitCode> {
  const { io } = cli;
  const input = file === "-" ? io.stdin : createReadStream(isAbsolute(file) ? file : join(io.cwd, file));
  let piece = "";
  try {
    for await (const line of readLines(input)) {
      piece += `${JSON.stringify(await answered(line))}\n`;
      if (piece.length < PIECE_CHARACTERS && file !== "-") continue;
      cli.print(piece);
      piece = "";
    }
  } catch (error) {
    const reason = systemReason(error);
    if (reason === undefined) throw error;
    throw new CliError(
      EXIT.usage,
      `"${file}" cannot be read: ${reason}`,
      "Check the path, or give - for standard input.",
    );
  }
  cli.print(piece);
  return EXIT.ok;

  async function answered(line: string): Promise<unknown> {
    try {
      return await answer(line);
    } catch (error) {
      if (error instanceof MeshError) return { error: error.message };
      if (error instanceof CliError) return { error: `${error.message}. ${error.advice}` };
      throw error;
    }
  }
}
