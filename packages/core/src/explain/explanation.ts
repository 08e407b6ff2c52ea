/** What `inmesh explain` answers: a contract with tools, so fields are only ever added (design.md §4). */

import type { Mode } from "@inmesh/model";

/** One request to be explained: a URL, or host, port and path apart. */
export interface ExplainRequest {
  /** @default "GET" */
  readonly method?: string;
  /** `http://reviews/api?x=1`; taken as written, nothing is normalised. */
  readonly url?: string;
  /** @default "/" */
  readonly path?: string;
  /** As the Host header says it, with or without a port. */
  readonly host?: string;
  /** The port being addressed. @default the host's, else 80 or 443 by scheme */
  readonly port?: number;
  /** @default "http" */
  readonly scheme?: string;
  /** Repeated lines as a list. */
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
}

export type ExplainOutcome =
  | "route"
  | "redirect"
  | "directResponse"
  | "fault"
  | "notFound"
  | "passThrough"
  | "unknownHost"
  | "noDestination"
  /** Its rules are not told yet: the first call waits for them. */
  | "pending";

export interface ExplainedDestination {
  readonly cluster: string;
  readonly host: string;
  readonly port: number;
  readonly subset: string;
  readonly weight: number;
  /** How many endpoints there are now; 0 also when the cluster does not exist. */
  readonly endpoints: number;
  /** The registry tells instances of services in use, and has not told all of its: a call would wait for some. Absent otherwise. */
  readonly pending?: true;
  /** `address:port` of those that a name was looked up for, as far as the process that answers has called them. */
  readonly lookedUp: readonly string[];
  /** Those that get no calls now and why, `10.0.0.1:80: 5 attempts in a row failed, for 900 ms more`, likewise. */
  readonly out: readonly string[];
  /** How its connections are encrypted; null for plaintext, and when the cluster does not exist. */
  readonly tls: ExplainedTls | null;
}

export interface ExplainedTls {
  readonly mode: string;
  /** Said to the server; empty: the host of the request. */
  readonly sni: string;
  /** The certificate must have one of them. */
  readonly subjectAltNames: readonly string[];
  /** The certificate must be for the server name. */
  readonly verifiesServerName: boolean;
  readonly insecureSkipVerify: boolean;
  /** Files; empty: the roots of Node, and none. */
  readonly caCertificates: string;
  readonly caCrl: string;
  /** No rule asks for it: endpoints that are members of the mesh are called by the mesh's own identities. `mode` is what holds for others. */
  readonly auto: boolean;
  /** Who the server may be, where both show an identity of the mesh. */
  readonly identities: readonly string[];
  /** Files of what the caller shows, in mode MUTUAL; empty otherwise. Paths only. */
  readonly clientCertificate: string;
  readonly privateKey: string;
  /** Why calls fail (TLS_UNAVAILABLE); empty when they do not. */
  readonly refusal: string;
  /** All of it in words. */
  readonly text: string;
  /** `DestinationRule/ns/name`. */
  readonly resource: string;
  /** `spec.trafficPolicy.tls`. */
  readonly path: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ExplainedMirror {
  readonly cluster: string;
  readonly host: string;
  /** Of the requests that are copied there. */
  readonly percent: number;
  readonly port: number;
  readonly subset: string;
  /** How many endpoints there are now; 0 also when the cluster does not exist: then no copy is sent. */
  readonly endpoints: number;
  /** As of a destination. */
  readonly pending?: true;
  /** What of the rule says so: `mirror`, `mirrors[0]`. */
  readonly field: string;
}

export interface ExplainedRequest {
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  /** Repeated lines joined by a comma. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ExplainedPlace {
  /** `Kind/ns/name`; null where no document says so: a default. */
  readonly resource: string | null;
  /** `spec.http[2].match[0]`; empty for a default. */
  readonly path: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ExplainedRoute extends ExplainedPlace {
  readonly name: string;
}

/** A rule that was asked before the one that matched, or is written before it and not meant for this caller. */
export interface PassedRule extends ExplainedRoute {
  /** What it wanted and the request has not, for each way to match. */
  readonly reasons: readonly string[];
}

export interface ExplainedOrigin extends ExplainedPlace {
  /** Field of the explanation that it gives: `timeoutMs`, `request.headers`, `destinations[0].subset`, … */
  readonly part: string;
}

export interface Explanation {
  /** As asked for, without port. */
  readonly host: string;
  /** `reviews.shop.svc.cluster.local:80`; null for a host that is not the mesh's. */
  readonly virtualHost: string | null;
  readonly route: ExplainedRoute | null;
  readonly outcome: ExplainOutcome;
  /** What the caller gets when no upstream is asked. */
  readonly status: number | null;
  readonly destinations: readonly ExplainedDestination[];
  /** As the upstream sees it; with several destinations, the heaviest one's. */
  readonly request: ExplainedRequest;
  /** 0: no limit. */
  readonly timeoutMs: number;
  /** `attempts` as Istio counts: the first one not included. Null where nothing is sent. */
  readonly retries: {
    readonly attempts: number;
    readonly perTryTimeoutMs: number;
    readonly retryOn: readonly string[];
  } | null;
  readonly fault: {
    readonly delayMs: number;
    readonly delayPercent: number;
    readonly abortStatus: number;
    readonly abortGrpcStatus: string | null;
    readonly abortPercent: number;
  } | null;
  readonly mirrors: readonly ExplainedMirror[];
  readonly redirect: { readonly status: number; readonly location: string } | null;
  readonly directResponse: { readonly status: number; readonly body: string } | null;
  /** What policy does to the answer's headers, the CORS filter's included. */
  readonly responseHeaders: {
    readonly set: Readonly<Record<string, string>>;
    readonly add: Readonly<Record<string, string>>;
    readonly remove: readonly string[];
  };
  /** Rules passed by, in order; every rule where none matched. */
  readonly passedBy: readonly PassedRule[];
  /** Fields that gave the parts of this answer, as far as a document gives them. */
  readonly origins: readonly ExplainedOrigin[];
  /** How the answer came about, one sentence each. */
  readonly steps: readonly string[];
  readonly snapshot: { readonly version: number; readonly revision: string; readonly mode: Mode };
  /** The same request with policy in force; null where it is, because the mode is `on`. */
  readonly would: Explanation | null;
}
