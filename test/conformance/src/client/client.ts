/** One way to call, brought to one shape: what an adapter takes and gives. */

import type { Readable } from "node:stream";

export interface Outgoing {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer | Readable | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface Incoming {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** As it comes; nobody reads ahead of the one who iterates. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Once the body was read. */
  readonly trailers?: () => Readonly<Record<string, string>>;
}

/**
 * What not every client and not every server has: a request body, trailers, answers made by the mesh (`answers`), another
 * attempt once a request was sent (`retries`).
 */
export type Feature = "body" | "trailers" | "answers" | "retries";

export interface Client {
  readonly name: string;
  readonly followsRedirects: boolean;
  /** Hands out gzip bodies unpacked. */
  readonly decompresses: boolean;
  /** Why it cannot take part in scenarios that need the feature. */
  readonly lacks: Readonly<Partial<Record<Feature, string>>>;
  call(outgoing: Outgoing): Promise<Incoming>;
}

/** Of Node's, undici's and WHATWG's header objects; repeated lines joined. */
export function flat(headers: object): Record<string, string> {
  const entries: Iterable<[string, unknown]> =
    typeof (headers as Headers).entries === "function" && !("raw" in headers && Array.isArray(headers))
      ? (headers as Headers).entries()
      : Object.entries(headers);
  const lines: Record<string, string> = {};
  for (const [name, value] of entries) lines[name.toLowerCase()] = String(value);
  return lines;
}

export async function* nothing(): AsyncGenerator<Uint8Array> {}
