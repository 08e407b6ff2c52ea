/** `inmesh xds dump`. */

import { stringify } from "yaml";
import type { Cli } from "../cli.js";
import { EXIT, type ExitCode } from "../exit.js";
import { formatOf } from "../options.js";
import { printData } from "../output/format.js";
import type { XdsOptions } from "./options.js";
import { readAll } from "./read-all.js";

export async function dump(cli: Cli, url: string, options: XdsOptions): Promise<ExitCode> {
  const items = await readAll(cli, url, options);
  if (items.length === 0) cli.note(`${url} has nothing of that for this process.`);
  if (formatOf(options) === "json") printData(cli, "json", { apiVersion: "v1", kind: "List", items });
  else cli.print(items.map((item) => stringify(item, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n"));
  return EXIT.ok;
}
