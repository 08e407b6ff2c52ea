/** How a server is reached, as a port: over gRPC, or by a script in tests. */

export type AdsMode = "sotw" | "delta";

export interface AdsStreamListener {
  /** The connection stands, the stream is open: requests may be sent. Once, before any message. */
  onOpen(): void;
  onMessage(bytes: Uint8Array): void;
  /** Once, last of all, also where it never opened. @param reason for people, lower case */
  onEnd(reason: string): void;
}

export interface AdsStream {
  send(bytes: Uint8Array): void;
  /** No more messages than those already under way, so that a server cannot fill this process. */
  pause(): void;
  resume(): void;
  /** Nothing is told of it any more. */
  cancel(): void;
}

/** One server. */
export interface AdsTransport {
  /** For people: `host:port`. */
  readonly server: string;
  open(mode: AdsMode, listener: AdsStreamListener): AdsStream;
}
