/** What a caller sends its requests with: the mesh, or what teams use without one. */

export interface ClientRequest {
  /** `/work-17?thing=3` */
  readonly path: string;
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** By its method or by its Idempotency-Key. */
  readonly idempotent: boolean;
}

export interface ClientReply {
  readonly status: number;
  readonly text: string;
  /** The mesh's code, of answers that it made itself. */
  readonly code?: string;
}

/** Throws what its library throws when there is no whole answer. */
export interface Client {
  send(request: ClientRequest): Promise<ClientReply>;
  close(): Promise<void>;
}

/** What all clients are told, so that they are compared by what they make of it. The policy of the mesh says the same. */
export const LIMITS = { attemptMs: 400, allMs: 2_000, retries: 2, connectMs: 300 } as const;
