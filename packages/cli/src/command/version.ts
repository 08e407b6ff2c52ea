/** `inmesh version`. */

import { SCHEMA_VERSION } from "@inmesh/model";
import { Command } from "commander";
import { EXIT } from "../exit.js";
import { type CommonOptions, formatOf, withCommon } from "../options.js";
import { printData, REPORT_FORMATS } from "../output/format.js";

import { VERSION } from "../version.js";
import { action, type CommandPorts } from "./define.js";

export function versionCommand(ports: CommandPorts): Command {
  const command = new Command("version").description("print the versions of inmesh, its policy schema and Node");
  return withCommon(command, REPORT_FORMATS).action(
    action<[], CommonOptions>(ports, async (cli, _, options) => {
      const format = formatOf(options);
      const versions = { inmesh: VERSION, schemaVersion: SCHEMA_VERSION, node: process.versions.node };
      if (format === "json" || format === "yaml") printData(cli, format, versions);
      else cli.print(`inmesh ${VERSION} (policy schema ${SCHEMA_VERSION}, node ${process.versions.node})\n`);
      return EXIT.ok;
    }),
  );
}
