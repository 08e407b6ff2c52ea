/** `inmesh analyze`: documents judged as a set, as `istioctl analyze` does. */

import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { type Document, type Problem, type Workload, worstSeverity } from "@inmesh/model";
import { Command } from "commander";
import type { Cli } from "../cli.js";
import { EXIT } from "../exit.js";
import { judgeDocuments, judgeTexts } from "../input/judge.js";
import { judgeSet } from "../input/judge-set.js";
import { readPolicyTexts } from "../input/policy-texts.js";
import { formatOf, namespaceOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { count, REPORT_FORMATS } from "../output/format.js";
import { printProblems } from "../output/problems.js";
import { needDocuments } from "../registry/control-plane-limits.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { workloadsOf } from "../registry/workload.js";
import { action, type CommandPorts } from "./define.js";

const EXAMPLES = `
Examples:
  inmesh analyze                            the registry, with the processes that run now
  inmesh analyze mesh/ -o json              a folder; processes registered in it make their services exist
  inmesh analyze canary.yaml --config mesh  files together with what the registry holds: before apply

Exit code 1 when there is a problem of severity error.
`;

interface Around {
  /** Documents of the registry that the files do not replace. */
  readonly documents: readonly Document[];
  /** Of kinds without effect; undefined where not all of them are known. */
  readonly passedOver: readonly Document[] | undefined;
  readonly workloads: readonly Workload[];
  /** Of files and leases that cannot be read, and of resources that stand in two files. */
  readonly problems: readonly Problem[];
}

export function analyzeCommand(ports: CommandPorts): Command {
  const command = new Command("analyze")
    .description("check policy documents together: references, conflicts, what has no effect")
    .argument("[files...]", "files, folders, or - for standard input; default: the registry")
    .addHelpText("after", EXAMPLES);
  return withRegistry(withCommon(command, REPORT_FORMATS)).action(
    action<[string[]], RegistryOptions>(ports, async (cli, [files], options) => {
      const texts = await readPolicyTexts(files, cli);
      const judged = judgeTexts(texts, namespaceOf(options, cli));
      const fromRegistry = files.length === 0 || options.config !== undefined;
      const { documents, workloads, ...registry } = fromRegistry
        ? await readRegistry(options, cli)
        : { documents: [], passedOver: [], problems: [], workloads: await registeredIn(files, options, cli) };
      const given = new Set(judged.documents.map(({ key }) => key));
      const around = judgeDocuments(documents.filter(({ key }) => !given.has(key)));
      const passedOver = withGiven(judged.passedOver, registry.passedOver);
      const problems = judgeSet(
        {
          documents: [...judged.documents, ...around.documents],
          ...(passedOver === undefined ? {} : { passedOver }),
          resources: [...judged.resources, ...around.resources],
          refused: [...judged.refused, ...around.refused],
          problems: [...judged.problems, ...registry.problems, ...around.problems],
        },
        workloads,
      );
      const n = judged.documents.length + around.documents.length;
      printProblems(cli, formatOf(options), problems, count(n, "document"));
      return worstSeverity(problems) === "error" ? EXIT.bad : EXIT.ok;
    }),
  );
}

function readRegistry(options: RegistryOptions, cli: Cli): Promise<Around> {
  return withOpenRegistry(options, cli, async (registry) => {
    needDocuments(registry, "judge them with");
    const { view, passedOver } = registry;
    return { documents: view.documents, passedOver, workloads: workloadsOf(view), problems: view.problems };
  });
}

/** A document that was given replaces the registry's. */
function withGiven(given: readonly Document[], others: readonly Document[] | undefined) {
  const keys = new Set(given.map(({ key }) => key));
  return others && [...given, ...others.filter(({ key }) => !keys.has(key))];
}

/** A folder in which processes register is a mesh: without them its own services would seem to be missing. */
async function registeredIn(files: readonly string[], options: RegistryOptions, cli: Cli): Promise<Workload[]> {
  const workloads: Workload[] = [];
  for (const file of files) {
    const path = isAbsolute(file) ? file : join(cli.io.cwd, file);
    if (file === "-" || !existsSync(join(path, ".workloads"))) continue;
    workloads.push(...(await readRegistry({ ...options, config: path }, cli)).workloads);
  }
  return workloads;
}
