/** What an adapter that makes its own TCP connections is given by the transport that knows the mesh's TLS. */

import type { Socket } from "node:net";
import type { Wire } from "../telemetry/wire.js";
import type { Attempt } from "./attempt.js";

/** TLS to one endpoint under one name and one policy, for HTTP/2. */
export interface SecuredDial {
  /** Of the mesh's own, with certificates on both sides: a request is what it would be without. */
  readonly isMesh: boolean;
  /** False once a server that was found good would be found so no more: connections made until then are to be given up. */
  readonly holds: boolean;
  /**
   * Over a TCP connection that stands.
   * @returns the encrypted socket, its server verified; the raw one is destroyed where it rejects
   */
  secure(raw: Socket): Promise<Socket>;
  /** What this process showed itself as on such a socket; empty for nothing. */
  showedOn(socket: Socket): string;
}

export interface EndpointDials {
  /**
   * The same object as long as the endpoint, the policy and the name are the same.
   * @returns undefined for an endpoint that is called in plaintext
   * @throws {MeshError} `TLS_UNAVAILABLE`
   */
  secured(attempt: Attempt): SecuredDial | undefined;
  /** To be called in the turn in which a TCP connection was begun or, at the latest, stands. */
  watch(socket: Socket): void;
  /** Of a connection that can carry requests. */
  wireOf(socket: Socket): Wire;
}
