/** Consul as the registry of a process. Loaded by those whose `config` names one. */

import { ConnectSource, ConsulRegistry, parseConsulUrl, shownTarget } from "@inmesh/consul";
import { PLAIN_FUNCTIONS } from "@inmesh/http/internal";
import { parseDocuments } from "@inmesh/model";
import type { OpenRegistry, OpenRegistryOptions } from "./open-registry.js";

/** @throws {MeshError} CONFIG_INVALID when the URL, or Consul's own variables, cannot be used */
export function openConsul(
  url: string,
  { settings, clock, random, env, onWarning }: OpenRegistryOptions,
): Omit<OpenRegistry, "state"> {
  const target = { ...parseConsulUrl(url, env), connect: settings.identity === "connect" };
  const { host, port } = target;
  const registry = new ConsulRegistry({
    ...{ target, clock, random, parse: parseDocuments, functions: PLAIN_FUNCTIONS },
    own: { namespace: settings.namespace, service: settings.service },
    onWarning: ({ message }) => onWarning({ code: "", message }), // no disk has a part in it
  });
  return {
    url: shownTarget(target),
    source: registry,
    registrar: registry.registrar,
    shared: { host, port, agentAddress: () => registry.registrar.agentAddress() },
    credentials: (wanted) => new ConnectSource({ client: registry.client, clock, random, ...wanted }),
    farewells: true,
    server: `${host.includes(":") ? `[${host}]` : host}:${port}`,
  };
}
