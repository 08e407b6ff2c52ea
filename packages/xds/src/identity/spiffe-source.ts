/** The certificate of this process as an agent of SPIFFE's tells it, which renews it by itself. */

import type { Clock, CredentialSource, GivenCredentials, Random, Timer } from "@inmesh/core";
import { backoffMs } from "@inmesh/core/internal";
import { certificatesPem, privateKeyPem } from "./der.js";
import type { CallError } from "./grpc-call.js";
import type { WorkloadApi, X509Context, X509Svid } from "./workload-api.js";

export interface SpiffeSourceOptions {
  readonly api: Pick<WorkloadApi, "socket" | "watchX509">;
  /** Which of several identities: the first one for which it is true, else the agent's first. */
  readonly prefers: (spiffeId: string) => boolean;
  readonly clock: Clock;
  readonly random: Random;
}

export class SpiffeSource implements CredentialSource {
  readonly renewal = "tells";
  readonly description: string;
  readonly #options: SpiffeSourceOptions;
  #context: X509Context | undefined;
  /** Why there is no stream; undefined while there is one, or has been none yet. */
  #trouble: string | undefined;
  #endStream: (() => void) | undefined;
  #again: Timer | undefined;
  #failures = 0;
  #onChange: (() => void) | undefined;
  #closed = false;
  readonly #waiters = new Set<() => void>();

  constructor(options: SpiffeSourceOptions) {
    this.#options = options;
    this.description = `the SPIFFE agent at ${options.api.socket}`;
  }

  async obtain(signal: AbortSignal): Promise<GivenCredentials> {
    this.#open();
    if (this.#context === undefined && this.#trouble === undefined) await this.#told(signal);
    signal.throwIfAborted();
    if (this.#context === undefined) throw new Error(this.#trouble ?? "it has told nothing yet");
    return this.#given(this.#context);
  }

  watch(onChange: () => void): () => void {
    this.#onChange = onChange;
    return () => {
      this.#onChange = undefined;
    };
  }

  close(): void {
    this.#closed = true;
    this.#again?.cancel();
    this.#endStream?.();
  }

  #open(): void {
    if (this.#endStream !== undefined || this.#again !== undefined || this.#closed) return;
    this.#endStream = this.#options.api.watchX509(
      (context) => this.#take(context),
      (error) => this.#lose(error),
    );
  }

  #take(context: X509Context): void {
    if (context.svids.length === 0) return;
    const isFirst = this.#context === undefined;
    this.#context = context;
    this.#trouble = undefined;
    this.#failures = 0;
    if (isFirst && this.#waiters.size > 0) this.#wake();
    else this.#onChange?.();
  }

  /** What it told last is good as long as it holds: nobody takes it back. Also "no identity" may be otherwise in a moment. */
  #lose({ message }: CallError): void {
    const { clock, random } = this.#options;
    this.#endStream = undefined;
    this.#trouble = message;
    this.#wake();
    if (this.#closed) return;
    this.#again = clock.after(backoffMs(RECONNECT, ++this.#failures, random), () => {
      this.#again = undefined;
      this.#open();
    });
  }

  #told(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener("abort", wake);
        this.#waiters.delete(wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener("abort", wake, { once: true });
    });
  }

  #wake(): void {
    for (const wake of [...this.#waiters]) wake();
  }

  #given({ svids, federated }: X509Context): GivenCredentials {
    const { prefers } = this.#options;
    const svid = svids.find(({ spiffeId }) => prefers(spiffeId)) ?? (svids[0] as X509Svid); // never empty
    const roots = new Map([...federated].map(([id, bundle]) => [trustDomainOf(id), certificatesPem(bundle)]));
    roots.set(trustDomainOf(svid.spiffeId), certificatesPem(svid.bundle));
    return {
      certificateChain: certificatesPem(svid.certificates),
      privateKey: privateKeyPem(svid.privateKey),
      roots,
    };
  }
}

/** In ms. An agent is on this machine: one that is back is found soon. */
const RECONNECT = { baseMs: 250, maxMs: 15_000 } as const;

function trustDomainOf(id: string): string {
  return id.replace(/^spiffe:\/\//, "").split("/")[0] ?? "";
}
