/** `inmesh convert`: what another mesh is told, as the resources that this one reads. */

import type { Translation } from "@inmesh/consul/config-entry";
import { type Document, type Problem, worstSeverity } from "@inmesh/model";
import { Command, Option } from "commander";
import { stringify } from "yaml";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { consulEntries } from "../input/consul-entries.js";
import { type CommonOptions, formatOf, namespaceOf, timeoutOption, withCommon } from "../options.js";
import { count, type Format, printData } from "../output/format.js";
import { problemLine, sortProblems, summariseProblems } from "../output/problems.js";
import { action, type CommandPorts } from "./define.js";

export interface ConvertOptions extends CommonOptions {
  readonly from: string;
  readonly config?: string;
  readonly namespace?: string;
  readonly datacenter?: string;
  readonly intentionDefault?: "allow" | "deny";
  readonly timeout: number;
}

const EXAMPLES = `
Examples:
  inmesh convert router.hcl resolver.json      config entries in HCL, JSON, or as resources of Kubernetes
  inmesh convert consul/ > mesh/web.yaml       every such file below a folder
  inmesh convert --config consul://127.0.0.1   all that a Consul has, its intentions included

A mesh on Consul reads the entries by itself: this is for looking, and for leaving Consul. What differs stands as a comment
above the resource it concerns. Exit code 1 when an entry cannot be understood.
`;

const FORMATS: readonly Format[] = ["yaml", "json"];

export function convertCommand(ports: CommandPorts): Command {
  const command = new Command("convert")
    .description("print config entries of Consul as the resources that they mean")
    .argument("[files...]", "files, folders, or - for standard input")
    .addOption(new Option("--from <mesh>", "whose they are").choices(["consul"]).default("consul"))
    .option("--config <url>", "read them from a Consul instead: consul://host:8500")
    .option("-n, --namespace <name>", "namespace of the services")
    .option("--datacenter <name>", "that the services are called in (default: dc1, or the Consul's own)")
    .addOption(
      new Option(
        "--intention-default <action>",
        "what holds where no intention speaks (default: as the Consul's ACLs)",
      ).choices(["allow", "deny"]),
    )
    .addOption(timeoutOption(10_000, "give up after this long"))
    .addHelpText("after", EXAMPLES);
  return withCommon(command, FORMATS).action(
    action<[string[]], ConvertOptions>(ports, async (cli, [files], options) => {
      if (files.length === 0 && options.config === undefined) {
        throw new CliError(
          EXIT.usage,
          "nothing to convert",
          "Name files, or a Consul: --config consul://127.0.0.1:8500",
        );
      }
      if (files.length > 0 && options.config !== undefined) {
        throw new CliError(EXIT.usage, "files and --config exclude each other", "Give one of the two.");
      }
      const { translateConfigEntries } = await import("@inmesh/consul/config-entry");
      const { input, problems } = await consulEntries(files, options, namespaceOf(options, cli), cli);
      const translation = translateConfigEntries(input);
      return print(cli, formatOf(options), translation, sortProblems([...problems, ...translation.problems]));
    }),
  );
}

function print(cli: Cli, format: Format, translation: Translation, problems: readonly Problem[]) {
  const { documents } = translation;
  if (format === "json") {
    printData(cli, "json", { apiVersion: "v1", kind: "List", items: documents.map(({ value }) => value) });
  } else {
    const texts = documents.map((document) => commented(document, problems));
    cli.print(texts.join("---\n") || "# no resources\n");
  }
  for (const problem of problems) cli.note(problemLine(problem, cli.paintNote));
  cli.note(`${count(documents.length, "resource")}: ${summariseProblems(problems)}.`);
  return worstSeverity(problems) === "error" ? EXIT.bad : EXIT.ok;
}

/** What differs stands above the resource; what is labelled by the registry is said, too. */
function commented(document: Document, problems: readonly Problem[]): string {
  const { origin, value } = document;
  const about = problems.filter(
    ({ file, resource }) => file === origin.file && (resource === "" || resource === document.key),
  );
  const text = stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });
  const labelled = text.includes("inmesh.dev/consul-")
    ? ["Labels inmesh.dev/consul-… are set on instances when they are read from Consul: elsewhere set them yourself."]
    : [];
  const lines = [`From ${origin.file}.`, ...new Set(about.map(({ message }) => message)), ...labelled];
  return lines.map((line) => `# ${line.replaceAll("\n", " ")}\n`).join("") + text;
}
