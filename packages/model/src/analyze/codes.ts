/** Codes of findings about a set of documents where Istio has none of its own. Explained in docs/reference/problems.md. */
export const SET_PROBLEM_CODES = {
  IM0301: "a header value uses an Envoy command that inmesh does not fill in",
  IM0302:
    "a host, or a port of one, that no document declares; a process that registers itself may still bring the host",
  IM0303: "two VirtualServices claim hosts that differ in case only",
  IM0304: "a subset that none of the declared endpoints of its service belongs to",
  IM0305: "two MeshModes speak for the same processes; the older one holds",
  IM0306: "a rule of a VirtualService stands behind one without a match, which takes everything",
  IM0307: "TLS without caCertificates in a subset of a DestinationRule: Node's roots are trusted, or nobody checks",
  IM0308:
    "a route of Gateway API and a VirtualService have rules for one host; a caller gets those of one of the two only",
  IM0309:
    "a route of Gateway API, or one of its parentRefs, means no Service or port that is there, so it has no effect",
  IM0310:
    "a backend of a route is of a kind that inmesh does not know, so its share of the requests gets 500, or 503 of a GRPCRoute",
  IM0311: "a CircuitBreaker, Resilience or RateLimit for a host that nothing declares and no process has registered",
  IM0312: "two CircuitBreakers, or two Resiliences, of one namespace speak for one host; the older one holds",
  IM0313:
    "a RateLimit, or the server part of a Resilience, for a host of another namespace, whose servers do not listen to it",
  IM0314: "a rule sends to a host and port that a Sidecar keeps from its callers, who get 503",
  IM0801:
    "a security policy with targetRef or targetRefs, which is for gateways and waypoints, so no process acts on it",
  IM0802: "an ALLOW without rules: it lets nobody in whom no other policy allows",
  IM0803: "an empty list in a rule of an AuthorizationPolicy, which means anybody or anything, as if it were left out",
  IM0804: "a PeerAuthentication of the root namespace that selects workloads, which holds for nobody",
  IM0805: "two PeerAuthentications for the same workloads; the older one holds",
  IM0806: "a workload, or a port of one, takes no TLS by a PeerAuthentication that callers do not look at",
  IM0807: "a DestinationRule sends without a certificate of the mesh what PeerAuthentication STRICT demands one for",
  IM0808:
    "a CUSTOM policy asks a provider that MeshConfig does not have, or that cannot be asked: what it asks is refused",
  IM0809: "a rule of an AuthorizationPolicy asks for what stands in a token where no RequestAuthentication takes any",
  IM0810: "the annotation inmesh.dev/service-accounts of a Service names what is no account",
  IM0902: "a tag of a metric has a value that inmesh cannot evaluate, so it is unknown for everybody",
  IM0904: "a Telemetry with targetRef or targetRefs, which is for gateways and waypoints, so no process acts on it",
  IM0905: "a Telemetry of the root namespace that selects workloads, which holds for no other namespace",
  IM0906: "a Telemetry names a provider that MeshConfig does not have, or that is of no use for it",
  IM0907: "an override of a Telemetry for a metric that there is none of",
} as const;
