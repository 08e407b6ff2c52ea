/** Security and limits of the process's own servers, from its inbound listeners. What was not told is closed, never open. */

import { defaultSecurity, NO_SERVER_POLICY, type SecurityPolicy, type ServerPolicy } from "@inmesh/model";
import type { DiscoveredListener } from "./listener.js";
import { closed, PortAccess } from "./rbac.js";

export interface ServerWords {
  readonly security: SecurityPolicy;
  readonly server: ServerPolicy;
}

/**
 * @param inbound listeners for ports of this process
 * @param refusal why requests are denied where no listener speaks; empty: they are not
 */
export function serverWords(inbound: readonly DiscoveredListener[], refusal: string, trustDomain: string): ServerWords {
  const ports = inbound.flatMap((listener) => listener.inbound);
  const base = defaultSecurity(trustDomain);
  if (ports.length === 0) {
    if (refusal === "") return { security: base, server: NO_SERVER_POLICY };
    const shut = closed(refusal);
    return {
      security: { ...base, access: new PortAccess(new Map(), new Map(), { http: shut, tcp: shut }) },
      server: NO_SERVER_POLICY,
    };
  }
  const others = ports.find(({ port }) => port === 0);
  const own = ports.filter(({ port }) => port !== 0);
  const [sample = others] = own;
  const shut = refusal === "" ? undefined : closed(refusal);
  const jwt = new Map(
    ports.flatMap((each) => each.jwt.map((rule) => [`${rule.issuer} ${JSON.stringify(rule.places)}`, rule])),
  );
  const rateLimits = [
    ...new Map(ports.flatMap((each) => each.rateLimits.map((limit) => [limit.name, limit]))).values(),
  ];
  const domains = [...new Set(ports.flatMap(({ trustDomains }) => trustDomains))];
  return {
    security: {
      ...base,
      peer: {
        mode: others?.mode ?? "PERMISSIVE",
        source: null,
        ports: new Map(own.map(({ port, mode }) => [port, { mode, source: null }])),
      },
      jwt: [...jwt.values()],
      authorizers: new Map(ports.flatMap(({ authorizers }) => authorizers.map((each) => [each.name, each] as const))),
      access: new PortAccess(
        new Map(own.flatMap(({ port, http }) => (http === undefined ? [] : [[port, http] as const]))),
        new Map(own.flatMap(({ port, tcp }) => (tcp === undefined ? [] : [[port, tcp] as const]))),
        { http: others?.http ?? shut, tcp: others?.tcp ?? shut },
      ),
      paths: sample?.paths ?? base.paths,
      normalises: sample?.normalises ?? false,
      forwardedClientCert: sample?.forwardedClientCert ?? base.forwardedClientCert,
      minTlsVersion: sample?.minTlsVersion ?? base.minTlsVersion,
      trustDomains: domains.length > 0 ? domains : base.trustDomains,
    },
    server: rateLimits.length === 0 ? NO_SERVER_POLICY : { rateLimits },
  };
}
