/** `inmesh completion`, and the hidden command that its scripts ask. */

import { Argument, Command } from "commander";
import { action, type CommandPorts } from "../command/define.js";
import { EXIT } from "../exit.js";
import { printable } from "../output/paint.js";
import { candidates, FILES } from "./candidates.js";
import { registryVocabulary } from "./registry-vocabulary.js";
import { ASKED, FILES_MARK, INSTALL, SHELLS, type Shell, shellScript } from "./shell-script.js";

const EXAMPLES = `
Try it:   source <(inmesh completion bash)
For good:
  bash        ${INSTALL.bash}
  zsh         ${INSTALL.zsh}
  fish        ${INSTALL.fish}
  powershell  ${INSTALL.powershell}
Names of services, namespaces and resources are completed from the registry.
`;

export function completionCommand(ports: CommandPorts): Command {
  return new Command("completion")
    .description("print a script that lets TAB complete commands, options and names")
    .addArgument(new Argument("<shell>", "for which shell").choices(SHELLS))
    .addHelpText("after", EXAMPLES)
    .action(
      action<[Shell], object>(ports, async (cli, [shell]) => {
        cli.print(shellScript(shell));
        return EXIT.ok;
      }),
    );
}

export function completeCommand(ports: CommandPorts): Command {
  const command = new Command(ASKED)
    .argument("[words...]", "the command line so far")
    .allowUnknownOption()
    .passThroughOptions()
    .helpOption(false);
  return command.action(
    action<[string[]], object>(ports, async (cli, [words]) => {
      const found = await candidates(command.parent ?? command, words, registryVocabulary(cli));
      if (found === FILES) cli.print(`${FILES_MARK}\n`);
      else
        for (const { value, text } of found) cli.print(text === "" ? `${value}\n` : `${value}\t${printable(text)}\n`);
      return EXIT.ok;
    }),
  );
}
