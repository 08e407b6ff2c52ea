/** TLS over TCP connections that another transport makes: the same trust, the same verification, the same names. */

import type { Socket } from "node:net";
import type { Attempt, Clock, Random, Wire } from "@inmesh/core";
import {
  type EndpointDials,
  type EndpointState,
  isMeshTls,
  isSecured,
  type SecuredDial,
  serverNameOf,
  tlsRefused,
} from "@inmesh/core/internal";
import type { TrafficPolicy } from "@inmesh/model";
import { watchOpening, wireOf } from "../wire-facts.js";
import { Dialer } from "./dial.js";
import type { Handshakes } from "./handshakes.js";
import { securedOf } from "./secured-socket.js";
import type { Trust, Trusts } from "./trust.js";

export interface TlsEndpointDialsOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly hasIdentity: boolean;
  readonly trusts: Trusts;
  readonly handshakes: Handshakes;
}

export class TlsEndpointDials implements EndpointDials {
  readonly #options: TlsEndpointDialsOptions;
  /** One name is nearly always all that an endpoint is called by. */
  readonly #last = new WeakMap<EndpointState, Dial>();

  constructor(options: TlsEndpointDialsOptions) {
    this.#options = options;
  }

  secured({ call, endpoint: state }: Attempt): SecuredDial | undefined {
    const { config } = call.cluster!; // an attempt has an endpoint, so its call has a cluster
    const { policy } = config;
    const { tls } = policy;
    if (tls.refusal !== "") throw tlsRefused(config, call.route?.name ?? "");
    if (!isSecured(tls, state.endpoint, this.#options.hasIdentity)) return undefined;
    const name = serverNameOf(call);
    const last = this.#last.get(state);
    if (last?.serves(policy, name) === true) return last;
    last?.leave();
    const dial = new Dial(state, policy, name, this.#options);
    this.#last.set(state, dial);
    return dial;
  }

  watch(socket: Socket): void {
    watchOpening(socket);
  }

  wireOf(socket: Socket): Wire {
    return wireOf(socket, "HTTP/2");
  }
}

class Dial implements SecuredDial {
  readonly isMesh: boolean;
  #policy: TrafficPolicy;
  readonly #policyText: string;
  readonly #name: string;
  readonly #trusts: Trusts;
  readonly #trust: Trust;
  readonly #dialer: Dialer;

  constructor(of: EndpointState, policy: TrafficPolicy, name: string, options: TlsEndpointDialsOptions) {
    const { clock, random, trusts, handshakes } = options;
    const { tls } = policy;
    this.isMesh = isMeshTls(tls);
    this.#policy = policy;
    this.#policyText = JSON.stringify(tls);
    this.#name = name;
    this.#trusts = trusts;
    this.#trust = trusts.use(tls);
    const connection = { ...policy.connection, protocol: "http2" as const }; // gRPC knows no other, whatever the port is called
    this.#dialer = new Dialer({ of, tls, connection, clock, random, handshakes, trust: this.#trust, serverName: name });
  }

  get holds(): boolean {
    this.#trust.look();
    return this.#dialer.holds;
  }

  secure(raw: Socket): Promise<Socket> {
    return new Promise((resolve, reject) => {
      this.#dialer.dial((error, socket) => (socket === null ? reject(error) : resolve(socket)), raw);
    });
  }

  showedOn(socket: Socket): string {
    return securedOf(socket)?.showed ?? "";
  }

  /** A new snapshot brings new objects that may say the same. */
  serves(policy: TrafficPolicy, name: string): boolean {
    if (name !== this.#name) return false;
    if (policy === this.#policy) return true;
    if (JSON.stringify(policy.tls) !== this.#policyText) return false;
    this.#policy = policy;
    return true;
  }

  leave(): void {
    this.#trusts.leave(this.#trust);
  }
}
