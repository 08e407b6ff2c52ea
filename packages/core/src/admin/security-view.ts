/** Who calls the servers of a process, and how: in GET /stats, under `security`. */

import type { PeerMode } from "@inmesh/model";

export interface ServerSecurityView {
  readonly ports: readonly PortSecurityView[];
  readonly handshakes: {
    readonly full: number;
    /** Shortened by a ticket. */
    readonly resumed: number;
    /** Now. */
    readonly running: number;
    readonly waiting: number;
  };
  /** Connections, and requests on them, that were refused or came to nothing, by reason (docs/reference/server-security.md). */
  readonly refused: Readonly<Record<string, number>>;
  /** The busiest first; at most 500. Empty while the process has no identity. */
  readonly callers: readonly CallerView[];
}

export interface PortSecurityView {
  /** Of the workload; 0 for a pipe. */
  readonly port: number;
  readonly mode: PeerMode;
  /** `Kind/namespace/name` of what says so; empty: nothing does. */
  readonly source: string;
  /** Who speaks TLS on it. */
  readonly tls: "mesh" | "application";
  /** Why nobody is let in, in words; empty: they are. */
  readonly problem: string;
  /** Open connections: of which it is not known what they are, with a certificate, and in plaintext. */
  readonly pending: number;
  readonly secured: number;
  readonly plaintext: number;
}

export interface CallerView {
  /** Principal; of a caller in plaintext its address, and the user agent of the first request. */
  readonly caller: string;
  readonly secured: boolean;
  readonly connections: number;
  readonly requests: number;
  /** Ms since the last request. */
  readonly agoMs: number;
}
