/** What a control plane says first when a process asks: how much of each kind, after how long, and what it leaves open. */

import type { Cli } from "../cli.js";
import { count, formatMs } from "../output/format.js";
import { Feed } from "../xds/feed.js";
import { labelOf, typesOf } from "../xds/kinds.js";
import { failingMs, openStream } from "../xds/open-stream.js";
import { error, type Finding, ok, warning } from "./section.js";

/** Between two looks, in ms. */
const LOOK_MS = 20;

export interface FirstAnswers {
  readonly findings: readonly Finding[];
  readonly answers: boolean;
}

export async function firstAnswers(
  cli: Cli,
  url: string,
  options: { readonly namespace: string; readonly timeout: number },
): Promise<FirstAnswers> {
  const { clock, signal } = cli.io;
  const began = clock.now();
  const oddities: string[] = [];
  const heard = { ...cli, warn: (line: string) => void oddities.push(line) };
  const { client, target, node } = openStream(heard, url, options);
  const { profile, mode } = target;
  const types = typesOf([], profile);
  const answeredAt = new Map<string, number>();
  const note = (): void => {
    for (const { url: each } of types)
      if (!answeredAt.has(each) && feed.answered(each)) answeredAt.set(each, clock.now() - began);
  };
  const feed: Feed = new Feed(client, { types, profile, names: [], onChange: () => {}, onTold: () => note() });
  try {
    while (feed.unanswered().length > 0) {
      const { state, reason } = client.status;
      const waited = clock.now() - began;
      const isAway = state === "connecting" && reason !== undefined;
      if (waited >= options.timeout || (isAway && waited >= failingMs(target))) break;
      await new Promise<void>((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        clock.after(LOOK_MS, resolve);
      });
    }
    const { state, reason = "no answer", server, controlPlane } = client.status;
    const asked = ok(`asked with profile ${profile} (${mode}) as ${node.id}`);
    if (answeredAt.size === 0) {
      const text =
        state === "fresh"
          ? `takes the stream and answers nothing within ${formatMs(options.timeout)}`
          : `does not serve: ${reason}`;
      return { answers: false, findings: [asked, error(`${server} ${text}`, adviceFor(reason))] };
    }
    const named = controlPlane === undefined ? "" : `, which calls itself ${shortName(controlPlane)}`;
    const first = Math.min(...answeredAt.values());
    const told = types.map(
      (type) => `${labelOf(type)} ${feed.shown().filter(({ type: of }) => of.url === type.url).length}`,
    );
    const open = feed.unanswered();
    return {
      answers: true,
      findings: [
        asked,
        ok(
          `first answer of ${server}${named} after ${formatMs(first)}, all after ${formatMs(Math.max(...answeredAt.values()))}`,
        ),
        ok(`it tells: ${told.join(", ")}`),
        ...(open.length === 0
          ? []
          : [
              warning(
                `${count(open.length, "question")} open after ${formatMs(options.timeout)}: ${open.slice(0, 5).join(", ")}`,
                OPEN,
              ),
            ]),
        ...oddities.map((text) => warning(text, "It is passed over.")),
      ],
    };
  } finally {
    await client.close();
  }
}

const OPEN =
  "Processes take what is not answered as not there. Is it a control plane of this profile? See: profile= in the URL.";

/** istiod gives a JSON of its build there. */
function shortName(controlPlane: string): string {
  const id = /"ID":"([^"]+)"/.exec(controlPlane)?.[1];
  const version = /"version":"([^"]+)"/.exec(controlPlane)?.[1];
  return id === undefined ? controlPlane.slice(0, 60) : version === undefined ? id : `${id} ${version}`;
}

function adviceFor(reason: string): string {
  if (/^(?:16|UNAUTHENTICATED)|UNAUTHENTICATED|authentication failure/i.test(reason))
    return "It wants to know who asks: token=FILE in the URL (audience istio-ca), or cert=FILE and key=FILE.";
  if (/PERMISSION_DENIED|^7/.test(reason))
    return "Who asks may not be this node: -n must be the namespace, and SERVICE_ACCOUNT the account, that the token or certificate is of.";
  if (/UNIMPLEMENTED|^12/.test(reason))
    return "It does not serve ADS in this form: try mode=sotw or mode=delta in the URL.";
  if (/ECONNREFUSED|ENOTFOUND|ENOENT/.test(reason)) return "See the lines above.";
  if (/secure|SSL|TLS|certificate|ECONNRESET|socket hang up|wrong version/i.test(reason))
    return "Is it TLS there? tls=on, with ca=FILE for its root, or tls=off in the URL.";
  return "See its own log, and: inmesh xds dump URL -v";
}
