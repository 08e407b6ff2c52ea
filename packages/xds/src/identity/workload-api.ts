/**
 * SPIFFE's Workload API (SPIFFE_Workload_API.md of github.com/spiffe/spiffe): an agent on this machine, such as SPIRE's, knows
 * by the socket who asks, and tells certificates, roots and tokens, anew whenever they change.
 */

import { decodeMessage } from "../proto/decode.js";
import { encodeMessage } from "../proto/encode.js";
import { Schema } from "../proto/schema.js";
import { type CallServer, callOnce, callStream, type MessageListener } from "./grpc-call.js";

/** Binary X.509 as the API has it: certificates one behind the other. */
export interface X509Svid {
  readonly spiffeId: string;
  /** Leaf first. */
  readonly certificates: Uint8Array;
  /** PKCS#8. */
  readonly privateKey: Uint8Array;
  /** Roots of its own trust domain. */
  readonly bundle: Uint8Array;
  /** A word by which one of several may be chosen; empty: none. */
  readonly hint: string;
}

export interface X509Context {
  /** The first is the one to be used where nothing else is said. Never empty. */
  readonly svids: readonly X509Svid[];
  /** Roots by the id of other trust domains, `spiffe://other.test`. */
  readonly federated: ReadonlyMap<string, Uint8Array>;
}

export interface JwtSvid {
  readonly spiffeId: string;
  readonly token: string;
}

const SCHEMA = new Schema({
  messages: {
    X509SVIDResponse: "1 svids []X509SVID;3 federated {string}bytes",
    X509SVID: "1 spiffeId string;2 certificates bytes;3 privateKey bytes;4 bundle bytes;5 hint string",
    JWTSVIDRequest: "1 audience []string;2 spiffeId string",
    JWTSVIDResponse: "1 svids []JWTSVID",
    JWTSVID: "1 spiffeId string;2 token string",
    JWTBundlesResponse: "1 bundles {string}bytes",
    ValidateJWTSVIDRequest: "1 audience string;2 token string",
    ValidateJWTSVIDResponse: "1 spiffeId string;2 claims google.protobuf.Struct",
  },
  enums: {},
});

const SERVICE = "/SpiffeWorkloadAPI/"; // of no package
const NOTHING = new Uint8Array();
const EMPTY = new Map<string, Uint8Array>();

export interface WorkloadApiOptions {
  /** `unix:///path`, or `tcp://ip:port`, as SPIFFE_ENDPOINT_SOCKET has it; a path alone is one. */
  readonly socket: string;
}

export class WorkloadApi {
  /** For display. */
  readonly socket: string;
  readonly #server: CallServer;

  constructor({ socket }: WorkloadApiOptions) {
    this.socket = socket;
    // The header keeps requests out that somebody talked another process of this machine into.
    this.#server = { address: addressOf(socket), headers: { "workload.spiffe.io": "true" } };
  }

  /** @returns ends it */
  watchX509(onContext: (context: X509Context) => void, onEnd: MessageListener["onEnd"]): () => void {
    return callStream(this.#server, `${SERVICE}FetchX509SVID`, NOTHING, {
      onMessage: (bytes) => onContext(read<X509Context>("X509SVIDResponse", bytes, { svids: [], federated: EMPTY })),
      onEnd,
    });
  }

  /**
   * Tokens that others can verify, one for each identity of this process.
   * @param spiffeId empty: every one
   * @throws {CallError}
   */
  async fetchJwt(
    audience: readonly string[],
    spiffeId: string,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<readonly JwtSvid[]> {
    const request = encodeMessage(SCHEMA, "JWTSVIDRequest", { audience, spiffeId });
    const answer = await callOnce(this.#server, `${SERVICE}FetchJWTSVID`, request, deadlineMs, signal);
    return read<{ svids: readonly JwtSvid[] }>("JWTSVIDResponse", answer, { svids: [] }).svids;
  }

  /** Whose token it is, and what it claims. @throws {CallError} 3 INVALID_ARGUMENT: it is nobody's, or for others */
  async validateJwt(
    audience: string,
    token: string,
    deadlineMs: number,
    signal: AbortSignal,
  ): Promise<{ readonly spiffeId: string; readonly claims: Readonly<Record<string, unknown>> }> {
    const request = encodeMessage(SCHEMA, "ValidateJWTSVIDRequest", { audience, token });
    const answer = await callOnce(this.#server, `${SERVICE}ValidateJWTSVID`, request, deadlineMs, signal);
    return read("ValidateJWTSVIDResponse", answer, { spiffeId: "", claims: {} });
  }

  /** Key sets (RFC 7517, as text) by the id of the trust domain. @returns ends it */
  watchJwtBundles(
    onBundles: (bundles: ReadonlyMap<string, string>) => void,
    onEnd: MessageListener["onEnd"],
  ): () => void {
    return callStream(this.#server, `${SERVICE}FetchJWTBundles`, NOTHING, {
      onMessage: (bytes) => {
        const { bundles } = read<{ bundles: Record<string, Uint8Array> }>("JWTBundlesResponse", bytes, { bundles: {} });
        onBundles(new Map(Object.entries(bundles).map(([id, keys]) => [id, Buffer.from(keys).toString()])));
      },
      onEnd,
    });
  }
}

/** What is not there is as in `absent`. */
function read<Value extends object>(message: string, bytes: Uint8Array, absent: Value): Value {
  const found = decodeMessage(SCHEMA, message, bytes) as Record<string, unknown>;
  const { federated } = found;
  if (federated !== undefined) found["federated"] = new Map(Object.entries(federated as object));
  return { ...absent, ...found };
}

function addressOf(socket: string): string {
  if (socket.startsWith("tcp://")) return socket.slice("tcp://".length);
  return `unix:${socket.replace(/^unix:(?:\/\/)?/, "")}`;
}
