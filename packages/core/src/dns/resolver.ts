/** The port through which names are looked up: the system's resolver, or a test's script. */

export interface NameAnswer {
  /** IPv4 and IPv6, in the order in which they came. Empty: the name is known to have none. */
  readonly addresses: readonly string[];
  /** How long the answer holds, in ms; undefined when its source does not say, as the hosts file. */
  readonly ttlMs: number | undefined;
}

export interface NameResolver {
  /** Rejects when nobody could say; that is no answer, and what was known before stays in use. */
  resolve(name: string): Promise<NameAnswer>;
}
