/** `inmesh ca bundle`: the roots that are trusted, for whoever is not a process of the mesh. */

import { Command } from "commander";
import { action, type CommandPorts } from "../command/define.js";
import { EXIT } from "../exit.js";
import { formatOf } from "../options.js";
import { printData } from "../output/format.js";
import { asked, authorityFolder, type CaOptions, withAuthority } from "./authority.js";

const EXAMPLES = `
Examples:
  inmesh ca bundle > roots.pem      for curl --cacert, an Envoy, another mesh
`;

export function bundleCommand(ports: CommandPorts): Command {
  const command = new Command("bundle")
    .description("print the roots that are trusted at the moment, in PEM")
    .addHelpText("after", EXAMPLES);
  return withAuthority(command).action(
    action<[], CaOptions>(ports, async (cli, _, options) => {
      const folder = await authorityFolder(options, cli);
      const { isTrusted, noAuthority } = await import("@inmesh/identity/ca");
      const { certificatePem } = await import("@inmesh/identity");
      const loaded = await asked(async () => {
        const found = await folder.load();
        if (found === undefined) throw noAuthority(folder.directory);
        return found;
      });
      const now = cli.io.clock.wallTime();
      const roots = loaded.roots
        .filter((root) => isTrusted(root, now))
        .map(({ certificate }) => certificatePem(certificate));
      const format = formatOf(options);
      if (format === "json" || format === "yaml")
        printData(cli, format, { trustDomains: loaded.record.trustDomains, roots });
      else cli.print(roots.join(""));
      if (roots.length > 1)
        cli.note("Several roots: a rotation is under way. Whoever copies them should ask again when it is over.");
      return EXIT.ok;
    }),
  );
}
