/** `inmesh describe`: all that applies to one service. */

import { snapshotView } from "@inmesh/core/admin";
import { worstSeverity } from "@inmesh/model";
import { Command } from "commander";
import { describeService } from "../describe/described-service.js";
import { EXIT } from "../exit.js";
import { adminClient } from "../live/admin-client.js";
import { formatOf, withCommon, withRegistry } from "../options.js";
import { formatDescription } from "../output/description.js";
import { printData, REPORT_FORMATS } from "../output/format.js";
import { snapshotSeen } from "../registry/client-context.js";
import { needDocuments } from "../registry/control-plane-limits.js";
import { findServices } from "../registry/find-services.js";
import { withOpenRegistry } from "../registry/open-registry.js";
import { withRemote } from "./change.js";
import { action, type CommandPorts } from "./define.js";
import { type ViewOptions, withFrom } from "./services.js";

const EXAMPLES = `
Examples:
  inmesh describe reviews
  inmesh describe reviews.shop --from shop/web     as calls from web meet it

Exit code 1 when something that applies to it has a problem of severity error.
`;

export function describeCommand(ports: CommandPorts): Command {
  const command = withFrom(
    new Command("describe")
      .description("tell all that applies to one service: hosts, endpoints, rules, policy, problems")
      .argument("<service>", "service, service.namespace, namespace/service or host")
      .addHelpText("after", EXAMPLES),
  );
  return withRemote(withRegistry(withCommon(command, REPORT_FORMATS))).action(
    action<[string], ViewOptions & { readonly remote?: boolean }>(ports, (cli, [name], options) =>
      withOpenRegistry(options, cli, async (registry) => {
        needDocuments(registry, "describe");
        const snapshot = await snapshotSeen(registry, options, cli);
        const found = findServices(snapshotView(snapshot, []).services, name, options.namespace);
        const described = [];
        const client = adminClient(cli, options);
        for (const service of found) described.push(await describeService(registry, service, options.from, client));
        const format = formatOf(options);
        if (format === "json" || format === "yaml") {
          printData(cli, format, { services: described.map(({ routes: _, ...rest }) => rest) });
        } else cli.print(described.map((each) => formatDescription(each, cli.paint)).join("\n"));
        const bad = described.some(({ problems }) => worstSeverity(problems) === "error");
        return bad ? EXIT.bad : EXIT.ok;
      }),
    ),
  );
}
