/** What a process asks of the agent it registers with. Where the package carries everything, by the package's own calls. */

import type { ConsulClient } from "../client/consul-client.js";
import { ConsulError } from "../client/consul-error.js";
import { LEAVING } from "./check.js";
import type { ServiceInstance } from "./instance.js";
import { record, textOf } from "./read.js";

/** Consul drops an instance no sooner than this after its check went critical, in ms; it looks every 30 s. */
const MIN_DEREGISTER_MS = 60_000;
const DEREGISTER_TTLS = 4;
/** Consul takes any lifetime, but renewals are calls over a network, in ms. */
const MIN_TTL_MS = 1_000;

export interface AgentRequest {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** The process may end meanwhile. */
  readonly background?: boolean;
}

export class Agent {
  readonly #client: ConsulClient;

  constructor(client: ConsulClient) {
    this.#client = client;
  }

  /** For display. */
  get shown(): string {
    return this.#client.shown;
  }

  /**
   * Also replaces what was registered under the id. By hand, since the package drops the weights.
   * @throws {ConsulError}
   */
  async register(instance: ServiceInstance, ttlMs: number, request: AgentRequest): Promise<void> {
    const lifetimeMs = Math.max(MIN_TTL_MS, ttlMs);
    const body = {
      ...instance,
      Check: {
        CheckID: checkId(instance.ID),
        Name: "event loop",
        Notes: "renewed from the event loop that serves: critical when it stands still, or the process is gone",
        TTL: `${Math.round(lifetimeMs)}ms`,
        Status: "passing",
        DeregisterCriticalServiceAfter: `${Math.round(Math.max(MIN_DEREGISTER_MS, lifetimeMs * DEREGISTER_TTLS))}ms`,
      },
    };
    const { status } = await this.#client.ask({ method: "PUT", path: "/agent/service/register", body, ...request });
    if (status === 404)
      throw new ConsulError("refused", `${this.shown} knows no registration: it is no agent`, { status });
  }

  /** @returns false when the agent does not know the instance: it was restarted, or somebody removed it */
  async renew(id: string, request: AgentRequest): Promise<boolean> {
    try {
      await this.#client.own((api, common) => api.agent.check.pass({ id: checkId(id), ...common }), request);
      return true;
    } catch (error) {
      // 1.8 says 500 where newer ones say 404. Whatever else 500 means, registering again is the way to find out.
      if (error instanceof ConsulError && (error.status === 404 || error.status === 500)) return false;
      throw error;
    }
  }

  /** Nobody calls it from now on, and its end comes as a surprise to nobody. @throws {ConsulError} */
  async sayFarewell(id: string, request: AgentRequest): Promise<void> {
    await this.#client.own(
      (api, common) => api.agent.check.fail({ id: checkId(id), note: LEAVING, ...common }),
      request,
    );
  }

  /** Nothing when it is not known. @throws {ConsulError} */
  async deregister(id: string, request: AgentRequest): Promise<void> {
    try {
      await this.#client.own((api, common) => api.agent.service.deregister({ id, ...common }), request);
    } catch (error) {
      if (!(error instanceof ConsulError && error.status === 404)) throw error;
    }
  }

  /** The address it tells others of itself; undefined when it does not say, or this token may not ask. @throws {ConsulError} */
  async address(request: AgentRequest): Promise<string | undefined> {
    try {
      const self: unknown = await this.#client.own((api, common) => api.agent.self(common as object), request);
      return textOf(record(record(self)["Member"])["Addr"]) || undefined;
    } catch (error) {
      if (error instanceof ConsulError && error.kind === "refused") return undefined;
      throw error;
    }
  }

  /** Instances of a service that are registered with this agent, as `Service` of an entry. @throws {ConsulError} */
  async instances(name: string, request: AgentRequest): Promise<readonly unknown[]> {
    const filter = `Service == "${name}"`;
    const found = await this.#client.own((api, common) => api.agent.service.list({ filter, ...common }), request);
    return Object.values((found ?? {}) as object);
  }
}

/** The name Consul itself gives to the only check of a service. */
function checkId(id: string): string {
  return `service:${id}`;
}
