/**
 * Certificates of Consul Connect's CA. The agent makes the key, has it signed, renews it in time and holds our question
 * until it did; the same for the roots. So the key comes over the connection to the agent, as it does to every sidecar.
 */

import type { Clock, CredentialSource, GivenCredentials, Random, ServiceRef } from "@inmesh/core";
import type { PeerIdentity } from "@inmesh/model";
import { type ConsulClient, path } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { record, textOf } from "../registrar/read.js";
import { consulName } from "../service-name.js";
import { BlockingQuery } from "../watch/blocking-query.js";
import { connectName } from "./connect-name.js";

export interface ConnectSourceOptions {
  readonly client: ConsulClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly service: ServiceRef;
  /** Told once that the key comes over a network in clear. */
  readonly onWarning?: (message: string) => void;
}

const ROOTS = "/agent/connect/ca/roots";

export class ConnectSource implements CredentialSource {
  readonly renewal = "tells";
  readonly description: string;
  readonly #options: ConnectSourceOptions;
  readonly #leaf: string;
  /** Answers that were last given on, so that one that says the same is no change. */
  readonly #given = new Map<string, string>();
  #warned = false;

  constructor(options: ConnectSourceOptions) {
    this.#options = options;
    const { client, service } = options;
    this.description = `Consul's CA (${client.shown})`;
    this.#leaf = path`/agent/connect/ca/leaf/${consulName(service, client.target.namespace)}`;
  }

  async obtain(signal: AbortSignal): Promise<GivenCredentials> {
    const { client } = this.#options;
    this.#warn();
    const ask = async (at: string): Promise<Readonly<Record<string, unknown>>> => {
      const { status, body } = await client.ask({ path: at, signal });
      if (status === 404) throw new ConsulError("refused", `${client.shown} knows no ${at}: Connect is off there`);
      this.#given.set(at, JSON.stringify(body));
      return record(body);
    };
    const [roots, leaf] = await Promise.all([ask(ROOTS), ask(this.#leaf)]);
    const { CertPEM, PrivateKeyPEM } = leaf;
    return {
      certificateChain: textOf(CertPEM),
      privateKey: textOf(PrivateKeyPEM),
      roots: new Map([[textOf(roots["TrustDomain"]).toLowerCase(), rootsOf(roots["Roots"])]]),
    };
  }

  watch(onChange: () => void): () => void {
    const { client, clock, random } = this.#options;
    const queries = [ROOTS, this.#leaf].map((at) => {
      const onAnswer = ({ body }: { readonly body: unknown }): boolean => {
        if (this.#given.get(at) === JSON.stringify(body)) return false;
        onChange();
        return true;
      };
      return new BlockingQuery({ ...{ client, clock, random, path: at, onAnswer }, onSettled: () => {} });
    });
    for (const query of queries) query.start();
    return () => {
      for (const query of queries) query.close();
    };
  }

  nameOf(peer: PeerIdentity, trustDomain: string): PeerIdentity | undefined {
    return connectName(peer, trustDomain, this.#options.client.target.namespace);
  }

  #warn(): void {
    const { client, onWarning = () => {} } = this.#options;
    const { secure, host } = client.target;
    if (this.#warned || secure || isLoopback(host)) return;
    this.#warned = true;
    onWarning(
      `the private key of this process comes from ${client.shown} in clear over the network: use an agent on this machine, or consul+https://`,
    );
  }
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127\./.test(host);
}

/** Of all that count at the moment: during a rotation the old one and the new one. */
function rootsOf(roots: unknown): string {
  const all = Array.isArray(roots) ? roots.map(record) : [];
  return all.map(({ RootCert }) => textOf(RootCert)).join("\n");
}
