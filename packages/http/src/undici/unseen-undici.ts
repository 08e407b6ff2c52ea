/**
 * Tells when a copy of undici that nobody could patch calls a host of the mesh: bundled into the application, or loaded by
 * a test runner's own module loader. Its channels are those of every copy; connections are rare enough to listen to.
 */

import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { HttpClient } from "../client/client.js";
import { quietly } from "../observe/quietly.js";

interface Connecting {
  readonly connectParams: { readonly protocol: string; readonly hostname: string; readonly port: string };
}

const CONNECTING = "undici:client:beforeConnect";

export interface UnseenUndiciOptions {
  /** Asked for with the first connection. */
  readonly client: () => Pick<HttpClient, "engine" | "origins" | "notices">;
  /** Connections that the mesh itself has asked for so far. */
  readonly connects: () => number;
}

/** @returns undoes it */
export function tellOfUnseenUndici({ client, connects }: UnseenUndiciOptions): () => void {
  let said = false;
  const listener = quietly((message: unknown) => {
    const { protocol, hostname, port } = (message as Connecting).connectParams;
    if (said) return;
    const { engine, origins, notices } = client();
    const origin = origins.get(`${protocol}//${hostname}${port === "" ? "" : `:${port}`}`);
    if (origin === undefined || origin.loopback) return;
    const before = connects();
    let ours = false;
    // undici calls its connector next, before anything else of this turn: one of ours counts.
    queueMicrotask(() => {
      ours = connects() !== before;
    });
    const judge = (): void => {
      // What a patched copy passes on is none of the mesh's, by the same judgement.
      if (said || ours || engine.onlyObserves || origins.judge(origin) !== "mesh") return;
      said = true;
      notices.once(unseen(origin.authority));
    };
    engine.store.ready().then(judge, () => {}); // without policy there is nothing to miss
  });
  subscribe(CONNECTING, listener);
  return () => unsubscribe(CONNECTING, listener);
}

function unseen(authority: string): string {
  return `a copy of undici that the mesh does not see called ${authority}, so that call and others of its Agents, Clients and Pools go past the mesh: it is bundled into the application, or loaded inside a sandbox such as jest's. Keep undici outside of the bundle, or give it registeredMesh().dispatcher`;
}
