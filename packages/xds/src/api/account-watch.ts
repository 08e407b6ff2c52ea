/**
 * Who may serve a service. Istio's resources do not tell the accounts of pods, and neither does EDS; the clusters of a sidecar do,
 * as the names that its certificates must have one of. Nothing else of them is read.
 */

import type { Clock, Timer } from "@inmesh/core";
import { firstText } from "../client/first-text.js";
import type { ResourceType, Watch, XdsClient } from "../client/watch.js";
import { CLUSTER } from "../envoy/urls.js";
import { wireParts } from "../envoy/wire-parts.js";
import { assignmentName } from "./assignment.js";
import type { ToldService } from "./told-service.js";

export interface AccountWatchOptions {
  readonly client: XdsClient;
  readonly clock: Clock;
  /** Something was told. */
  readonly onChange: () => void;
}

/** A control plane without clusters is not waited for, in ms. */
const PATIENCE_MS = 5_000;

/** Field numbers from a TransportSocket to the names: typed_config, value, common_tls_context, combined …, default …. */
const VALIDATION = [3, 2, 1, 8, 1];
/** match_subject_alt_names, exact; the same in match_typed_subject_alt_names, where it is the matcher's. */
const NAMES = [
  [9, 1],
  [15, 2, 1],
];
/** transport_socket_matches, by which members of the mesh are told from others, and transport_socket, which a rule has asked for. */
const SOCKETS = [[43, 3], [24]];

const NAMES_TYPE: ResourceType<readonly string[]> = {
  url: CLUSTER,
  wholeState: true,
  nameOf: firstText,
  decode: (bytes) => serverNames(bytes),
  same: (a, b) => a.join() === b.join(),
};

export class AccountWatch {
  readonly #names = new Map<string, readonly string[]>();
  readonly #watch: Watch;
  readonly #patience: Timer;
  /** All clusters were told, or are not worth waiting for. */
  told = false;

  constructor({ client, clock, onChange }: AccountWatchOptions) {
    const done = (): void => {
      this.told = true;
      this.#patience.cancel();
      onChange();
    };
    this.#patience = clock.after(PATIENCE_MS, done);
    this.#watch = client.watch(NAMES_TYPE, {
      names: "*",
      onChanges: ({ changed, removed }) => {
        for (const [name, names] of changed) this.#names.set(name, names);
        for (const name of removed) this.#names.delete(name);
        done();
      },
    });
  }

  /** Sorted. Undefined: nobody is named. */
  servedBy({ host, ports }: ToldService): readonly string[] | undefined {
    const found = new Set(ports.flatMap(({ number }) => this.#names.get(assignmentName(number, "", host)) ?? []));
    return found.size === 0 ? undefined : [...found].sort();
  }

  close(): void {
    this.#patience.cancel();
    this.#watch.close();
  }
}

/** @throws {WireError} */
function serverNames(bytes: Uint8Array): readonly string[] {
  for (const socket of SOCKETS) {
    const names = NAMES.flatMap((path) => wireParts(bytes, [...socket, ...VALIDATION, ...path]));
    if (names.length > 0) return [...new Set(names.map((each) => Buffer.from(each).toString()))].sort();
  }
  return [];
}
