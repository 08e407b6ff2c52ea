/**
 * What a profile asks of the aggregated stream, and what it hears. One stream serves every watch of the process; which form of
 * the protocol it speaks, and when it was made anew, does not show here.
 */

/** One kind of resource: how its bytes become a value. */
export interface ResourceType<Value> {
  /**
   * `envoy.config.cluster.v3.Cluster`: without what is before it in a type URL. One with a slash in it is a whole type URL, of
   * kinds that istiod asks to be named so (`networking.istio.io/v1/VirtualService`): an Any in its answers has another type.
   */
  readonly url: string;
  /** An answer of the state-of-the-world form holds every resource there is: whatever it lacks is gone. Of listeners and clusters. */
  readonly wholeState: boolean;
  /** The name that is in the message. Cheap: nothing else of it is read. @throws {WireError} */
  nameOf(bytes: Uint8Array): string;
  /**
   * Reads and checks one resource. Called only for bytes that differ from the last ones of that name. A value that has a name
   * does well to keep this very text: it is kept anyway.
   * @param bytes not to be held on to: whoever needs them later keeps `sent`
   * @param known absent: there is nothing but the bytes, which stay
   * @throws whatever it likes: the resource is refused with the error's message, and its last good value stays
   */
  decode(bytes: Uint8Array, name: string, known?: KnownOfResource<Value>): Value;
  /** Other bytes may mean the same (istiod writes maps in random order): such a value is not told again. @default never the same */
  same?(before: Value, after: Value): boolean;
}

/** What the client has of a resource that is being read. */
export interface KnownOfResource<Value> {
  readonly sent: SentBytes;
  /** Its last good value; undefined: there is none. */
  readonly before: Value | undefined;
}

/** The bytes of a resource, where they take little room. */
export interface SentBytes {
  /** A look at them, changed by nobody. Whoever holds on to it holds on to what lies beside them. */
  read(): Uint8Array;
}

/** What one answer changed, told once it is worked through. Values that did not change are not in it. */
export interface ResourceChanges<Value> {
  readonly changed: ReadonlyMap<string, Value>;
  /** Deleted, or found not to exist. What was in use stays usable: the watcher decides. */
  readonly removed: ReadonlySet<string>;
}

export interface WatchOptions<Value> {
  /** Names to begin with; `*`: every one there is. */
  readonly names: readonly string[] | "*";
  /**
   * Never called concurrently, nor from inside `watch`. Must not throw. Of `*` the first answer is told even if there is
   * nothing in it: only then is it known that there is nothing.
   */
  onChanges(changes: ResourceChanges<Value>): void;
}

export interface Watch {
  /** Names wanted from now on, besides those that are wanted already. Idempotent. */
  add(names: readonly string[]): void;
  /** Names that nobody here needs any more. */
  remove(names: readonly string[]): void;
  close(): void;
}

/** As CSDS and the admin endpoint show it (gRFC A88). */
export type ResourceState = "REQUESTED" | "DOES_NOT_EXIST" | "ACKED" | "NACKED" | "RECEIVED_ERROR" | "TIMEOUT";

export interface ResourceStatus {
  readonly url: string;
  readonly name: string;
  readonly state: ResourceState;
  /** Its own, else that of the answer that held it. */
  readonly version: string;
  /** The last good bytes; absent where there are none. */
  readonly bytes?: Uint8Array;
  /** Why the last answer for it was refused; absent where it was not. */
  readonly error?: string;
  /** Wall ms of the last good update; 0 before. */
  readonly updatedAt: number;
  /** Of a NACKED one: what was refused last. */
  readonly refused?: {
    readonly version: string;
    /** Wall ms. */
    readonly at: number;
    /** Absent where the same name came twice. */
    readonly bytes?: Uint8Array;
  };
}

/** What came of one type, since the process began. */
export interface XdsTraffic {
  readonly url: string;
  /** Answers that were taken, and those of which some resource was refused. */
  readonly accepted: number;
  readonly rejected: number;
  /** Of all answers, as they came. */
  readonly bytes: number;
}

export interface XdsStatus {
  /** `connecting` before the first answer; `stale`: the stream is gone and what it said last stands. */
  readonly state: "connecting" | "fresh" | "stale";
  /** Clock ms since when. */
  readonly since: number;
  readonly reason?: string;
  /** The server that is connected or tried, `host:port`. */
  readonly server: string;
  /** What it calls itself, where it does. */
  readonly controlPlane?: string;
  /** Subscribed names without an answer, refused resources, and what is not honoured, by name. */
  readonly resources: readonly ResourceStatus[];
}

/** One aggregated stream, made anew whenever it is lost. */
export interface XdsClient {
  watch<Value>(type: ResourceType<Value>, options: WatchOptions<Value>): Watch;
  readonly status: XdsStatus;
  /** Called when `status.state` changes. @returns ends it */
  onState(listener: (status: XdsStatus) => void): () => void;
  close(): Promise<void>;
}
