/** `inmesh xds watch`. */

import type { Cli } from "../cli.js";
import { EXIT, type ExitCode } from "../exit.js";
import { printable } from "../output/paint.js";
import type { FeedChange } from "./feed.js";
import { labelOf } from "./kinds.js";
import type { XdsOptions } from "./options.js";
import { follow } from "./read-all.js";

/** Ends by an interrupt, or because the first answer fails to come. */
export async function watch(cli: Cli, url: string, options: XdsOptions): Promise<ExitCode> {
  await follow(cli, url, options, {
    onChange: (change) => cli.print(line(cli, change)),
    onAll: () => new Promise<void>(() => {}), // until the signal
  });
  return EXIT.ok;
}

function line(cli: Cli, { type, name, before, after }: FeedChange): string {
  const [sign, colour] =
    after === undefined
      ? (["-", "red"] as const)
      : before === undefined
        ? (["+", "green"] as const)
        : (["~", "yellow"] as const);
  const problems = after === undefined || after.problems.length === 0 ? "" : `: ${after.problems.join("; ")}`;
  return `${cli.paint(colour, printable(`${sign} ${labelOf(type)} ${name}${problems}`))}\n`;
}
