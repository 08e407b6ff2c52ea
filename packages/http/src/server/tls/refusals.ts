/** Connections that came to nothing, by reason: counted always, told to the operator now and then. */

import type { Clock } from "@inmesh/core";

export const REFUSALS = {
  plaintext: "a caller in plaintext was refused: PeerAuthentication is STRICT",
  plaintextRequest:
    "a request in plaintext was refused: PeerAuthentication became STRICT while its connection was open",
  applicationTls:
    "a caller was refused: PeerAuthentication is STRICT, and on this port the application speaks TLS itself",
  noIdentity: "a caller was refused: PeerAuthentication is STRICT, and this process has no identity",
  noCredentials: "a caller was refused: this process has no certificate yet",
  ownExpired: "callers are refused: the certificate of this process has expired",
  unusable: "callers are refused: TLS cannot be set up with the certificate of this process",
  noConfiguration: "a caller was refused: there is no configuration yet that says who may connect",
  noCertificate: "a caller without a certificate was refused",
  untrustedChain: "a caller was refused whose certificate is from no authority of this mesh",
  identity: "a caller was refused",
  distrusted: "connections end, since their caller is not known any more",
  handshake: "a TLS handshake failed",
  handshakeTimeout: "a TLS handshake was not finished in time",
  handshakeQueue: "a caller was refused: too many handshakes were waiting",
  pending: "a caller was refused: too many connections have not said what they want",
  firstByteTimeout: "a connection on which nothing was said was closed",
  /** Of TCP, by an AuthorizationPolicy. The guard says which. */
  rules: "",
  /** Load balancers look for open ports that way, and clients connect in reserve: no error. */
  closedSilently: "",
} as const;

export type Refusal = keyof typeof REFUSALS;

/** What holds until something is done about it is said once. The rest comes from outside, and must not fill logs. */
const LASTING: ReadonlySet<Refusal> = new Set<Refusal>([
  "noIdentity",
  "noCredentials",
  "ownExpired",
  "unusable",
  "noConfiguration",
]);
/** Between two lines of the same reason, in ms. */
const QUIET_MS = 60_000;

interface Tally {
  count: number;
  told: number;
  toldAt: number;
}

export class Refusals {
  readonly #clock: Clock;
  readonly #onNotice: (message: string) => void;
  readonly #tallies = new Map<Refusal, Tally>();

  constructor(clock: Clock, onNotice: (message: string) => void) {
    this.#clock = clock;
    this.#onNotice = onNotice;
  }

  /** @param detail who, and what of it; empty: nothing more is known. @param tells false: it is counted, and no line is worth it */
  note(reason: Refusal, detail = "", tells = true): void {
    let tally = this.#tallies.get(reason);
    if (tally === undefined) {
      tally = { count: 0, told: 0, toldAt: Number.NEGATIVE_INFINITY };
      this.#tallies.set(reason, tally);
    }
    tally.count += 1;
    const text = REFUSALS[reason];
    if (text === "" || !tells) return;
    const now = this.#clock.now();
    if (LASTING.has(reason) ? tally.told > 0 : now - tally.toldAt < QUIET_MS) return;
    const silent = tally.count - tally.told - 1;
    tally.told = tally.count;
    tally.toldAt = now;
    const more = silent > 0 ? ` (and ${silent} more since the last line)` : "";
    this.#onNotice(`${text}${detail === "" ? "" : `: ${detail}`}${more}`);
  }

  /** It holds no longer: the next time is worth a line again. */
  over(...reasons: readonly Refusal[]): void {
    for (const reason of reasons) {
      const tally = this.#tallies.get(reason);
      if (tally !== undefined) tally.told = 0;
    }
  }

  read(): Record<string, number> {
    return Object.fromEntries([...this.#tallies].map(([reason, { count }]) => [reason, count]));
  }
}
