/** An answer of the admin endpoint, before it is known how the caller wants to read it. */

import type { Writable } from "node:stream";

export interface Page {
  readonly status: number;
  /** Sent as JSON, unless `text` or `bytes` is. */
  readonly body: unknown;
  /** For people: what `curl` gets, and whoever asks for `?format=text`. Absent: JSON for everybody. */
  readonly text?: () => string;
  /** Sent as it is, in whatever form was asked for. */
  readonly bytes?: { readonly type: string; readonly content: string | Uint8Array };
  /**
   * Written piece by piece in place of all of these, since it may be long.
   * @param accept of the request
   */
  readonly pieces?: (accept: string) => Promise<{ readonly contentType: string; readonly pieces: Iterable<string> }>;
  /** Goes on until somebody ends it. */
  readonly stream?: { readonly type: string; readonly run: (to: Writable) => void };
}

export function okPage(body: unknown, text?: () => string): Page {
  return text === undefined ? { status: 200, body } : { status: 200, body, text };
}

export function failedPage(status: number, error: string, more: Readonly<Record<string, unknown>> = {}): Page {
  return { status, body: { error, ...more }, text: () => `${error}\n` };
}
