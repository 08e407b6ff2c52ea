/** `inmesh authz …`: who may call whom. */

import { Command } from "commander";
import type { CommandPorts } from "../command/define.js";
import { authzCheckCommand } from "./check-command.js";
import { suggestCommand } from "./suggest-command.js";

export function authzCommand(ports: CommandPorts): Command {
  return new Command("authz")
    .description("tell who may call a service, and write the policy that lets in who calls it")
    .helpCommand(false)
    .addCommand(authzCheckCommand(ports))
    .addCommand(suggestCommand(ports));
}
