/** Hashes the parts of a request that choose its endpoint: once per request, so that attempts agree (policy-semantics §2.4). */

import type { HashKey } from "@inmesh/model";
import type { XxHash } from "../balance/xx-hash.js";
import type { Call } from "../call/call.js";
import { hashRequest } from "../call/request-hash.js";
import type { Engine } from "../stack/engine.js";
import type { Stage } from "../stack/stack.js";

export const affinity: Stage = {
  role: "affinity",
  describe: "hashes what ties a request to one endpoint",
  make({ action, hashKeys }, engine) {
    if (action.kind !== "forward" || hashKeys === undefined) return undefined;
    const { xxHash } = engine;
    return {
      parameters: hashKeys.map(keyText).join(", "),
      call: (next) => (call) => {
        if (call.cluster!.config.policy.hash === undefined) return next(call); // entered just above
        if (xxHash.hash !== undefined) {
          hashCall(call, hashKeys, xxHash.hash, engine);
          return next(call);
        }
        if (xxHash.failure !== undefined) return next(call); // told once, by whoever loaded it
        // A promise, so that what follows runs in the caller's async context.
        void xxHash.load().then(() => {
          if (call.ended) return;
          if (xxHash.hash !== undefined) hashCall(call, hashKeys, xxHash.hash, engine);
          call.readyAt = engine.clock.now();
          next(call);
        });
      },
    };
  },
};

function hashCall(call: Call, keys: readonly HashKey[], xxHash: XxHash, engine: Engine): void {
  const self = { address: engine.address(), instance: engine.instance };
  const { hash, cookie } = hashRequest(call, keys, xxHash, self, () => randomHex(engine.random));
  call.hash = hash;
  // Percent signs double: the value is text, not a format.
  if (cookie !== undefined) {
    call.affinityCookie = { remove: [], set: [], add: [["set-cookie", cookie.replaceAll("%", "%%")]] };
  }
}

/** 64 bits. */
function randomHex(random: Engine["random"]): string {
  const half = (): string =>
    random
      .int(2 ** 31)
      .toString(16)
      .padStart(8, "0");
  return half() + half();
}

function keyText(key: HashKey): string {
  if (key.kind === "header") return `header ${key.name}`;
  if (key.kind === "process") return "this process";
  if (key.kind === "queryParameter") return `query parameter ${key.name}`;
  return key.kind === "cookie" ? `cookie ${key.name}` : "address of the caller";
}
