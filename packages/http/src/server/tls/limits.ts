/** How much of a process strangers may take before they have said who they are. docs/reference/server-security.md. */

export interface ServerTlsLimits {
  /** Connections of one server that have not said their first byte or have not finished their handshake. @default 1_000 */
  readonly pending: number;
  /** For a handshake, from its first byte to its last, in ms. @default 10_000 */
  readonly handshakeMs: number;
  /** Handshakes of the process that are under way at once; more wait their turn. @default 8 */
  readonly handshakes: number;
  /** Of one turn of the event loop, for beginning handshakes that wait, in ms. @default 5 */
  readonly turnMs: number;
  /** After this a slow handshake goes on without taking a place from others, in ms. @default 250 */
  readonly placeMs: number;
  /** For the first byte where the server sets no `headersTimeout`, in ms. @default 60_000 */
  readonly firstByteMs: number;
  /** For the first configuration, before which nobody knows whom to let in, in ms. @default 5_000 */
  readonly configMs: number;
  /** A connection of the mesh is replaced after this, or with the certificates it was made by, in ms. @default 3_600_000 */
  readonly ageMs: number;
  /** A connection that left HTTP has so long once it is not wanted any more, in ms. @default 45_000 */
  readonly upgradedMs: number;
}

export const SERVER_TLS_LIMITS: ServerTlsLimits = {
  pending: 1_000,
  handshakeMs: 10_000,
  handshakes: 8,
  turnMs: 5,
  placeMs: 250,
  firstByteMs: 60_000,
  configMs: 5_000,
  ageMs: 3_600_000,
  upgradedMs: 45_000,
};

/** A ticket is believed without a look at its certificate's chain, so it must not be old. In s. */
export const SESSION_S = 300;
/** Between two looks for what is over its time, in ms. */
export const SWEEP_MS = 500;
