/** Envoy's response flags as bits: what went wrong with a call or a request, in the letters that dashboards know. */

export const FLAG = {
  /** No route for it. */
  NR: 1,
  /** What its route names does not exist. */
  NC: 1 << 1,
  /** No endpoint that is well. */
  UH: 1 << 2,
  /** No connection to the endpoint. */
  UF: 1 << 3,
  /** The connection broke before the answer. */
  UC: 1 << 4,
  /** The endpoint reset the stream. */
  UR: 1 << 5,
  /** A limit of the service was reached, or its breaker is open. */
  UO: 1 << 6,
  /** All retries failed. */
  URX: 1 << 7,
  /** No answer in time. */
  UT: 1 << 8,
  /** Nothing was heard on the stream for too long. */
  SI: 1 << 9,
  /** The caller went away. */
  DC: 1 << 10,
  /** A delay was injected. */
  DI: 1 << 11,
  /** A fault was injected. */
  FI: 1 << 12,
  /** A rate limit. */
  RL: 1 << 13,
  /** An external authorizer said no. */
  UAEX: 1 << 14,
  /** The endpoint broke the protocol. */
  UPE: 1 << 15,
  /** The caller did. */
  DPE: 1 << 16,
  /** Shed by this process, which has too much to do. */
  OM: 1 << 17,
  /** The stream lived for too long. */
  UMSDR: 1 << 18,
  /** This process is shutting down. */
  LH: 1 << 19,
  /** The rate limit service did not answer. */
  RLSE: 1 << 20,
  /** Dropped because the control plane wants a share of requests dropped. */
  DO: 1 << 21,
} as const;

export type FlagName = keyof typeof FLAG;

const NAMES = Object.keys(FLAG) as FlagName[];
/** By bits: few combinations come up, and no string is built for the same twice. */
const TEXTS = new Map<number, string>([[0, "-"]]);

/** `-` for none, else the letters, comma-joined. */
export function flagsText(bits: number): string {
  let text = TEXTS.get(bits);
  if (text === undefined) {
    text = NAMES.filter((name) => (bits & FLAG[name]) !== 0).join(",") || "-";
    TEXTS.set(bits, text);
  }
  return text;
}

/** One flag's bit; 0 for `-`, and for what is none of these. */
export function flagBit(name: string): number {
  return (FLAG as Readonly<Record<string, number>>)[name] ?? 0;
}
