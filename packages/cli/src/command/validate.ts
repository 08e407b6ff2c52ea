/** `inmesh validate`: each document judged alone, as `istioctl validate` does. */

import { worstSeverity } from "@inmesh/model";
import { Command } from "commander";
import { EXIT } from "../exit.js";
import { judgeTexts } from "../input/judge.js";
import { readPolicyTexts } from "../input/policy-texts.js";
import { type CommonOptions, formatOf, namespaceOf, withCommon } from "../options.js";
import { count, REPORT_FORMATS } from "../output/format.js";
import { printProblems } from "../output/problems.js";
import { action, type CommandPorts } from "./define.js";

interface ValidateOptions extends CommonOptions {
  readonly namespace?: string;
}

const EXAMPLES = `
Examples:
  inmesh validate mesh/                    every policy file below a folder
  inmesh validate reviews.yaml -o json     for an editor or a script
  cat reviews.yaml | inmesh validate -     from standard input

Exit code 1 when there is a problem of severity error. See also: inmesh analyze, which judges documents together.
`;

export function validateCommand(ports: CommandPorts): Command {
  const command = new Command("validate")
    .description("check policy documents, each by itself")
    .argument("<files...>", "files, folders, or - for standard input")
    .option("-n, --namespace <name>", "namespace of documents that name none")
    .addHelpText("after", EXAMPLES);
  return withCommon(command, REPORT_FORMATS).action(
    action<[string[]], ValidateOptions>(ports, async (cli, [files], options) => {
      const texts = await readPolicyTexts(files, cli);
      const { documents, problems } = judgeTexts(texts, namespaceOf(options, cli));
      printProblems(cli, formatOf(options), problems, count(documents.length, "document"));
      return worstSeverity(problems) === "error" ? EXIT.bad : EXIT.ok;
    }),
  );
}
