/** What a control plane tells, once it has told all that was asked. */

import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { Feed, type FeedChange } from "./feed.js";
import { labelOf, typesOf, type XdsDocument } from "./kinds.js";
import { openStream } from "./open-stream.js";
import type { XdsOptions } from "./options.js";

/** Between two looks at the stream, in ms: a server may just be starting, or have a fallback. */
const LOOK_MS = 1_000;

export interface FollowOptions {
  readonly onChange?: (change: FeedChange) => void;
  /** Called when all is answered; what it returns is waited for before the stream ends. */
  readonly onAll: (feed: Feed) => void | Promise<void>;
}

/** @throws {CliError} it cannot be reached, or leaves something unanswered */
export async function follow(
  cli: Cli,
  url: string,
  options: XdsOptions,
  { onChange, onAll }: FollowOptions,
): Promise<void> {
  const { signal } = cli.io;
  const { target, client } = openStream(cli, url, options);
  const ends: (() => void)[] = [];
  try {
    await new Promise<void>((resolve, reject) => {
      let onTold = (): void => {};
      const { clock } = cli.io;
      const away = () => {
        const { server, reason = "no answer" } = client.status;
        const advice = "Check the address, and whether it wants TLS: tls=on or tls=off in the URL.";
        reject(new CliError(EXIT.unreachable, `${server} cannot be reached: ${reason}`, advice));
      };
      const feed = new Feed(client, {
        types: typesOf(options.type ?? [], target.profile),
        profile: target.profile,
        names: options.name ?? [],
        onChange: (change) => onChange?.(change),
        onTold: () => onTold(),
      });
      const timer = clock.after(options.timeout, () => {
        const { state, reason } = client.status;
        if (state === "connecting" && reason !== undefined) return away();
        const left = feed.unanswered();
        const text = `${client.status.server} did not answer within ${options.timeout} ms for ${left.join(", ")}`;
        reject(new CliError(EXIT.timeout, text, "Ask for what it has with --type, or wait longer with --timeout."));
      });
      // A stream that was never there changes no state, so that no listener hears of it.
      const look = (): void => {
        const { state, reason } = client.status;
        if (state === "connecting" && reason !== undefined) away();
        else looking = clock.after(LOOK_MS, look);
      };
      let looking = clock.after(LOOK_MS, look);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      let isDone = false;
      onTold = () => {
        if (isDone || feed.unanswered().length > 0) return;
        isDone = true;
        timer.cancel();
        Promise.resolve(onAll(feed)).then(resolve, reject);
      };
      ends.push(() => {
        for (const each of [timer, looking]) each.cancel();
      });
    });
  } finally {
    for (const end of ends) end();
    await client.close();
  }
}

export async function readAll(cli: Cli, url: string, options: XdsOptions): Promise<readonly XdsDocument[]> {
  let documents: readonly XdsDocument[] = [];
  await follow(cli, url, options, {
    onAll: (feed) => {
      const told = feed.shown();
      for (const { type, name, problems } of told)
        for (const problem of problems) cli.warn(`${labelOf(type)} ${name}: ${problem}`);
      for (const name of feed.missing()) cli.warn(`${url}: there is no ${name}`);
      documents = told.flatMap(({ documents: of }) => of);
    },
  });
  return documents;
}
