/** All commands, in the order of the help. A new one is a file that exports its maker, and a line here. */

import type { Command } from "commander";
import { authzCommand } from "./authz/command.js";
import { bugReportCommand } from "./bug-report/command.js";
import { caCommand } from "./ca/command.js";
import { analyzeCommand } from "./command/analyze.js";
import { applyCommand } from "./command/apply.js";
import { certsCommand } from "./command/certs.js";
import { checkCommand } from "./command/check.js";
import { convertCommand } from "./command/convert.js";
import type { CommandPorts } from "./command/define.js";
import { deleteCommand } from "./command/delete.js";
import { describeCommand } from "./command/describe.js";
import { diffCommand } from "./command/diff.js";
import { edgesCommand } from "./command/edges.js";
import { endpointsCommand } from "./command/endpoints.js";
import { explainCommand } from "./command/explain.js";
import { getCommand } from "./command/get.js";
import { graphCommand } from "./command/graph.js";
import { helpCommand } from "./command/help.js";
import { historyCommand } from "./command/history.js";
import { logCommand } from "./command/log.js";
import { modeCommand } from "./command/mode.js";
import { rollbackCommand } from "./command/rollback.js";
import { routesCommand } from "./command/routes.js";
import { servicesCommand } from "./command/services.js";
import { statCommand } from "./command/stat.js";
import { statusCommand } from "./command/status.js";
import { validateCommand } from "./command/validate.js";
import { versionCommand } from "./command/version.js";
import { whyCommand } from "./command/why.js";
import { completeCommand, completionCommand } from "./completion/command.js";
import { devCommand } from "./dev/command.js";
import { initCommand } from "./init/command.js";
import { loginCommand } from "./login/command.js";
import { proxyConfigCommand } from "./proxy-config/command.js";
import { runCommand } from "./run/command.js";
import { sloCommand } from "./slo/command.js";
import { tapCommand } from "./tap/command.js";
import { topCommand } from "./tap/top-command.js";
import { xdsCommand } from "./xds/command.js";

export interface CommandEntry {
  /** Heading in the help. */
  readonly group: string;
  readonly create: (ports: CommandPorts) => Command;
  /** Left out of the help: programs use it. @default false */
  readonly hidden?: boolean;
}

const START = "Run services:";
const POLICY = "Policy:";
const MESH = "The mesh:";
const IDENTITY = "Identity:";
const INSTALLATION = "Installation:";

export const COMMANDS: readonly CommandEntry[] = [
  { group: START, create: initCommand },
  { group: START, create: devCommand },
  { group: START, create: runCommand },
  { group: POLICY, create: validateCommand },
  { group: POLICY, create: analyzeCommand },
  { group: POLICY, create: diffCommand },
  { group: POLICY, create: applyCommand },
  { group: POLICY, create: getCommand },
  { group: POLICY, create: deleteCommand },
  { group: POLICY, create: historyCommand },
  { group: POLICY, create: rollbackCommand },
  { group: POLICY, create: convertCommand },
  { group: MESH, create: explainCommand },
  { group: MESH, create: whyCommand },
  { group: MESH, create: authzCommand },
  { group: MESH, create: servicesCommand },
  { group: MESH, create: endpointsCommand },
  { group: MESH, create: routesCommand },
  { group: MESH, create: describeCommand },
  { group: MESH, create: statusCommand },
  { group: MESH, create: modeCommand },
  { group: MESH, create: statCommand },
  { group: MESH, create: edgesCommand },
  { group: MESH, create: graphCommand },
  { group: MESH, create: tapCommand },
  { group: MESH, create: topCommand },
  { group: MESH, create: proxyConfigCommand },
  { group: MESH, create: xdsCommand },
  { group: MESH, create: logCommand },
  { group: MESH, create: sloCommand },
  { group: IDENTITY, create: certsCommand },
  { group: IDENTITY, create: caCommand },
  { group: IDENTITY, create: loginCommand },
  { group: INSTALLATION, create: checkCommand },
  { group: INSTALLATION, create: bugReportCommand },
  { group: INSTALLATION, create: versionCommand },
  { group: INSTALLATION, create: completionCommand },
  { group: INSTALLATION, create: helpCommand },
  { group: INSTALLATION, create: completeCommand, hidden: true },
];
