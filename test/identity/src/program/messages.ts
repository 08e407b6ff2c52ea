/** What the service and the test say to each other. */

import type { IncomingHttpHeaders } from "node:http";

/** JSON body of every answer of the service. */
export interface Told {
  readonly service: string;
  readonly pid: number;
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** Of the connection, as the application sees it. */
  readonly encrypted: boolean;
  /** SPIFFE id of the caller. */
  readonly peer: string | null;
  readonly body: string;
}

export interface Answered {
  /** 0: no answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly error?: { readonly code: string; readonly message: string };
}

export type FromService =
  | { readonly type: "listening"; readonly port: number }
  | { readonly type: "answered"; readonly id: number; readonly answer: Answered };
