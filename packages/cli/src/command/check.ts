/** `inmesh check`: is everything in place? Grouped findings, each with what to do about it. */

import { Command } from "commander";
import { checkIdentity } from "../check/identity.js";
import { checkProcesses } from "../check/processes.js";
import { checkRegistry } from "../check/registry.js";
import { checkRuntime } from "../check/runtime.js";
import type { Finding, Section } from "../check/section.js";
import type { Cli } from "../cli.js";
import { EXIT } from "../exit.js";
import { formatOf, type RegistryOptions, withCommon, withRegistry } from "../options.js";
import { count, printData, REPORT_FORMATS } from "../output/format.js";
import { printable } from "../output/paint.js";
import type { OpenRegistry } from "../registry/open-registry.js";
import { registryName } from "../registry/registry-name.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";

export interface CheckOptions extends RegistryOptions {
  readonly remote?: boolean;
}

const EXAMPLES = `
Looks at Node and the packages that the current folder would load, at the registry and its policy, and at the running
processes and their identities. Of a control plane (xds://) it tries the way there: names, connection, TLS, token, what it
answers to whom, and what processes would refuse of it. Exit code 1 when something is wrong; a warning alone is none.
`;

export function checkCommand(ports: CommandPorts): Command {
  const command = new Command("check")
    .description("check the installation, the registry and the running processes")
    .addHelpText("after", EXAMPLES);
  return withRemote(withRegistry(withCommon(command, REPORT_FORMATS))).action(
    action<[], CheckOptions>(ports, async (cli, _, options) => {
      let registry: OpenRegistry | undefined;
      const sections: Section[] = [await checkRuntime(cli)];
      try {
        const name = registryName(options, cli);
        if (name.kind === "xds") {
          // What speaks xDS is loaded by those who ask for it.
          const { checkControlPlane } = await import("../check/control-plane.js");
          const { section, answers } = await checkControlPlane(cli, options, name);
          sections.push(section);
          if (!answers) return report(cli, options, sections);
        }
        const found = await checkRegistry(cli, options);
        registry = found.registry;
        sections.push(found.section);
        if (registry !== undefined) {
          sections.push(await checkProcesses(cli, options, registry));
          const identity = await checkIdentity(cli, options, registry);
          if (identity !== undefined) sections.push(identity);
        }
      } finally {
        await registry?.close();
      }
      return report(cli, options, sections);
    }),
  );
}

function report(cli: Cli, options: CheckOptions, sections: readonly Section[]) {
  const format = formatOf(options);
  const findings = sections.flatMap((section) => section.findings);
  const errors = findings.filter(({ status }) => status === "error").length;
  const warnings = findings.filter(({ status }) => status === "warning").length;
  if (format === "json" || format === "yaml") {
    printData(cli, format, { status: errors > 0 ? "error" : warnings > 0 ? "warning" : "ok", sections });
  } else {
    const marks = marksFor(cli);
    for (const { name, findings: listed } of sections) {
      cli.print(`${name}\n${"-".repeat(name.length)}\n`);
      for (const finding of listed) cli.print(formatFinding(finding, marks));
      cli.print("\n");
    }
    const worst = errors > 0 ? "error" : warnings > 0 ? "warning" : "ok";
    const tally = errors + warnings === 0 ? "" : `  (${count(errors, "error")}, ${count(warnings, "warning")})`;
    cli.print(`Status check results are ${marks[worst]}${tally}\n`);
  }
  return errors > 0 ? EXIT.bad : EXIT.ok;
}

type Marks = Readonly<Record<Finding["status"], string>>;

/** Marks of one letter where the terminal can show them. */
function marksFor({ io, paint }: Cli): Marks {
  const locale = io.env["LC_ALL"] || io.env["LC_CTYPE"] || io.env["LANG"] || "";
  const unicode = /utf-?8/i.test(locale) && io.env["TERM"] !== "dumb";
  return {
    ok: paint("green", unicode ? "√" : "ok"),
    warning: paint("yellow", unicode ? "‼" : "!!"),
    error: paint("red", unicode ? "×" : "xx"),
  };
}

function formatFinding({ status, message, hint }: Finding, marks: Marks): string {
  const advice = hint === "" ? "" : `    ${printable(hint)}\n`;
  return `${marks[status]} ${printable(message)}\n${advice}`;
}
