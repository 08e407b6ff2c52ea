/** Nobody renews any more: under STRICT a server closes its door, says why once, and opens it again with a new certificate. */

import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Caller, Stage } from "../stage.js";
import type { Supply } from "./supply.js";

export interface Expiry {
  /** In words, in order. */
  readonly events: readonly string[];
  readonly broken: readonly string[];
}

/** Validity is in whole seconds, and a look at the clock is a while ago. */
const MARGIN_MS = 2_500;
const RECOVERS_MS = 15_000;
const QUESTION = { perSecond: 20, seconds: 2, posts: 0, keyedPosts: 0 };

export async function expiry(stage: Stage, caller: Caller, supply: Supply): Promise<Expiry> {
  const [events, broken]: [string[], string[]] = [[], []];
  stage.takeComplaints();
  await supply.away();
  await delay(supply.ttlMs + MARGIN_MS);
  const meanwhile = await stage.run(caller, { name: "expired", ...QUESTION });
  events.push(`expired: ${meanwhile.all.ok} of ${meanwhile.all.sent} answered; ${[...meanwhile.reasons].join(" ")}`);
  if (meanwhile.all.ok > 0) broken.push(`${meanwhile.all.ok} requests were answered by servers without an identity`);
  for (const { origin } of stage.backends) {
    const answer = await plain(Number(new URL(origin).port));
    if (answer !== "") broken.push(`a server without an identity answered plain text: ${answer.slice(0, 80)}`);
  }
  for (const { process } of stage.backends) {
    const said = process.errors.split("\n").filter((line) => /expired/i.test(line));
    events.push(`${process.name} said: ${said.join(" | ")}`);
    if (said.length !== 1) broken.push(`${process.name} said ${said.length} times that it has expired`);
  }
  await supply.back();
  for (const until = performance.now() + RECOVERS_MS; ; ) {
    const { all } = await stage.run(caller, { name: `again-${Math.round(performance.now())}`, ...QUESTION });
    if (all.ok === all.sent) break;
    if (performance.now() < until) continue;
    broken.push(`${all.sent - all.ok} of ${all.sent} failed although new certificates are there`);
    break;
  }
  events.push("new certificates: every request is answered again");
  return { events, broken };
}

/** What a server says to plain text; nothing where it closes. */
function plain(port: number): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(port, "127.0.0.1", () =>
      socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
    );
    socket.on("data", (text) => {
      answer += text;
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(answer));
  });
}
