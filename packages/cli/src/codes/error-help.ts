/**
 * What `inmesh help TIMEOUT` says besides the table of codes in core, and the list "What to do" of
 * docs/reference/errors.md: a test writes the page from here.
 */

export interface ErrorHelp {
  /** What to do, in sentences; backquotes and links as in Markdown. */
  readonly remedy: string;
  /** A message as a call ends with it. */
  readonly example: string;
}

export const ERROR_HELP: Readonly<Record<string, ErrorHelp>> = {
  CONFIG_INVALID: {
    remedy:
      "the message names the option, what was found and what is expected. Settings are listed in [configuration](configuration.md).",
    example: 'INMESH_LOCALITY is "eu": expected region/zone/subZone (CONFIG_INVALID)',
  },
  CONFIG_UNAVAILABLE: {
    remedy:
      "the process has no policy yet, or not that of the service that is called, and none was kept from an earlier run. Calls wait up to 5 s for it, inside their deadline. `inmesh status` shows the registry and why it is away.",
    example: "no configuration within 5000 ms: the folder ./mesh is not there (CONFIG_UNAVAILABLE)",
  },
  HOST_UNKNOWN: {
    remedy:
      "add a ServiceEntry for the host, or set `outboundTrafficPolicy` to `ALLOW_ANY`. `inmesh services` lists who is known.",
    example: 'host "api.example.com" is not in the registry, and the outbound policy is REGISTRY_ONLY (HOST_UNKNOWN)',
  },
  ROUTE_NOT_FOUND: {
    remedy: "`inmesh explain METHOD URL` tells for each rule which condition did not hold.",
    example: "GET http://reviews/admin matches none of the 2 rules of VirtualService/shop/reviews (ROUTE_NOT_FOUND)",
  },
  CLUSTER_NOT_FOUND: {
    remedy: "most often a subset that no DestinationRule defines. `inmesh analyze` names the rule and the line.",
    example:
      'rule "canary" of VirtualService/shop/reviews names subset "v3", which no DestinationRule defines (CLUSTER_NOT_FOUND)',
  },
  TLS_UNAVAILABLE: {
    remedy:
      "the call is refused on this side, also while MeshMode is `off`. The message names what asks for TLS and what of it cannot be had: a file that is not where the calling process runs, holds no certificate, may not be read, or is a private key that others may read, is looked at again with the next call; an identity that has not come, or has expired, is waited for within the connect timeout, and `inmesh certs` says why; for a credentialName see the [support table](support.md). Set `tls.mode: DISABLE` where plaintext is meant.",
    example:
      "nothing was sent to 10.1.0.7:443: /etc/certs/roots.pem does not exist, and DestinationRule/shop/pay spec.trafficPolicy.tls.caCertificates asks for it. Put it where this process runs, or correct the field (TLS_UNAVAILABLE)",
  },
  NO_ENDPOINT: {
    remedy:
      "the service is known and nobody serves it: no process runs (a name is known for ten minutes after its last process left), no process has the subset's labels, or all are out by outlierDetection or their health checks, and the message says why. `inmesh endpoints SERVICE` shows who is there with which labels and who is left out. Policy that would rather try sick endpoints than fail sets `minHealthPercent`. Of a service whose endpoints are names, the message says which name has no address or could not be looked up.",
    example: 'no endpoint for "reviews.shop" subset "v2": nothing that serves it is registered (NO_ENDPOINT)',
  },
  OVERFLOW: {
    remedy:
      "the message names the limit and its DestinationRule: `connectionPool` holds requests under way (`http2MaxRequests`), requests that wait (`http1MaxPendingRequests`) and connections (`maxConnections`), per process and cluster. Never tried again, and the answer says `x-envoy-overloaded: true`, so that callers above do not try again either. `inmesh describe SERVICE` shows how full they are.",
    example:
      "GET http://reviews/42 was not sent: 100 requests to outbound|80||reviews.shop.svc.cluster.local are under way, and connectionPool.http.http2MaxRequests is 100 (OVERFLOW)",
  },
  DROPPED: {
    remedy:
      "the control plane protects the service by having a share of its requests dropped (`drop_overloads` of its endpoints), and this process does so before it sends anything. Never tried again. `inmesh explain METHOD URL` shows the shares, `inmesh_dropped_total` counts by category; who runs the control plane ends it.",
    example:
      'GET http://reviews/42 was not sent: the control plane has 20% of the requests to "reviews" dropped (drop_overloads, category overload) (DROPPED)',
  },
  BREAKER_OPEN: {
    remedy:
      "the message says what opened it and when it is probed next. Nothing is sent until then; then a few attempts find out whether the service is well again. `inmesh describe SERVICE` shows every breaker.",
    example:
      "GET http://reviews/42 was not sent: CircuitBreaker/shop/reviews is open since 2 s for outbound|80||reviews.shop.svc.cluster.local: 60% of 40 attempts failed, more than 50%; next probe in 8 s (BREAKER_OPEN)",
  },
  CONNECT_FAILED: {
    remedy:
      "the request never left, so it is safe to send again, whatever its method. Over TLS the message says what was wrong with the server's certificate, and which document says whom to trust. The endpoint is avoided for 0.5 s, doubling up to 10 s, while another one is left.",
    example: "127.0.0.1:9080 refused the connection, nothing was sent (CONNECT_FAILED)",
  },
  WRONG_PEER: {
    remedy:
      "the message names who was expected and who was found. Nothing was sent to it, nor will be: the call is tried elsewhere where policy allows a retry, the endpoint is avoided for 0.5 s, doubling up to 10 s, and `/clusters` of the process counts such attempts (`wrongPeers`). Somebody else may have taken the address, or registered as the service. Where the identity found is right, say so: `subjectAltNames` of the DestinationRule or the ServiceEntry, `serviceAccount` of the WorkloadEntry, or the annotation `inmesh.dev/service-accounts` of the Service. Where a control plane of Envoy's names nobody, see [servers without a name](xds-profiles.md#servers-without-a-name).",
    example:
      'GET http://pay/42 failed: attempt 1 to 10.1.0.7:8080 met the wrong peer, nothing was sent: it is "spiffe://cluster.local/ns/shop/sa/web", expected "spiffe://cluster.local/ns/shop/sa/pay" (WRONG_PEER)',
  },
  UPSTREAM_RESET: {
    remedy:
      "whether the request was carried out is unknown. On a new connection over mTLS it is also what a server looks like that refuses the caller's certificate: the message says so, and its log knows. It is tried again if policy says so and the method is idempotent or carries an `Idempotency-Key`.",
    example: "POST http://stock/orders: 127.0.0.1:9080 closed the connection before it answered (UPSTREAM_RESET)",
  },
  STREAM_REFUSED: {
    remedy:
      "the request was not carried out, so it is safe to send again, whatever its method: `refused-stream` is among the conditions of the default retries. A server refuses streams when it shuts down, and when it has more of them than it allows: `connectionPool.http.maxConcurrentStreams` keeps below that.",
    example:
      "POST http://stock/orders failed: attempt 1 to 10.1.0.7:8080 was refused before anything was done with it: Stream closed with error code NGHTTP2_REFUSED_STREAM (STREAM_REFUSED)",
  },
  UPSTREAM_PROTOCOL: {
    remedy: "something that speaks no HTTP listens there, or TLS is spoken to a plaintext port or the reverse.",
    example: "127.0.0.1:5432 answered with something that is no HTTP (UPSTREAM_PROTOCOL)",
  },
  RESPONSE_TRUNCATED: {
    remedy: "nothing was tried again, because the caller already had the beginning of the answer.",
    example: "the connection to 127.0.0.1:9080 ended in the middle of the answer (RESPONSE_TRUNCATED)",
  },
  TIMEOUT: {
    remedy:
      "the rule's `timeout` covers all attempts and the waits between them. The message shows which attempt took how long.",
    example: "GET http://reviews/42 timed out after 3000 ms: attempt 1 to 10.1.0.7:9080 took 1000 ms (TIMEOUT)",
  },
  PER_TRY_TIMEOUT: {
    remedy: "retried under `5xx`, `gateway-error` and `reset`; not under the default policy.",
    example: "attempt 1 to 10.1.0.7:9080 had no answer within 1000 ms (PER_TRY_TIMEOUT)",
  },
  DEADLINE_EXCEEDED: {
    remedy: "the request that this process was serving has run out of time; the caller upstream of it set the limit.",
    example: "the request being served had 40 ms left, and they passed (DEADLINE_EXCEEDED)",
  },
  FAULT_ABORTED: {
    remedy: "the `fault` of the rule named in the message. Remove it there, or switch policy off with `MeshMode`.",
    example: "VirtualService/shop/reviews aborts 30% of these calls with 503 on purpose (FAULT_ABORTED)",
  },
  AGENT_UNSUPPORTED: {
    remedy:
      "the request was made with `mesh.agent()`, which only routes. Make it with `mesh.http`, `mesh.fetch`, `mesh.dispatcher`, `mesh.axios()` or `mesh.got()`, or take the rule's redirect, answer, rewrite, header edit or mirror away.",
    example: 'rule "v2" rewrites path or authority, which an http.Agent cannot do: it only routes (AGENT_UNSUPPORTED)',
  },
  RATE_LIMITED: {
    remedy:
      "a [RateLimit](resilience.md) of the server answered, before its application saw the request. `Retry-After` says when the next one passes, `RateLimit` what is left. Not tried again: another process has the same limit, and `envoy-ratelimited` in `retryOn` says otherwise. `inmesh describe SERVICE` shows the rules and whom they refuse.",
    example:
      'local_rate_limited: rate limit "shop/reviews/by-source" allows 100 requests per 60000 ms and they are used up: try again in 3 s (RATE_LIMITED)',
  },
  RATE_LIMIT_UNAVAILABLE: {
    remedy:
      "a [RateLimit](resilience.md) of the server names a rate limit service that did not answer in `timeout`, and has `failureModeDeny`. The server's log says why. Without that field requests pass meanwhile.",
    example:
      "rate_limiter_error: the rate limit service limits.infra.svc.cluster.local:8081 did not answer, and nobody passes without its word (failureModeDeny) (RATE_LIMIT_UNAVAILABLE)",
  },
  OVERLOADED: {
    remedy:
      "the server sheds load, as its [Resilience](resilience.md) says: the message names what there was too much of. The application has not seen the request, and the answer says so (`x-inmesh-not-processed`), so that a caller in the mesh sends it to another endpoint, even a POST. More processes help, or a higher limit; `inmesh describe SERVICE` shows both.",
    example:
      "overload: requests being served: 50, maxConcurrency: 50: a request of priority default is turned away before it began, so it may be sent to another endpoint (OVERLOADED)",
  },
  ACCESS_DENIED: {
    remedy:
      "the caller hears `RBAC: access denied` and no more. Where the server runs, its log says once which policy and rule denied whom, `inmesh stat` counts them, and `inmesh authz check --to NAMESPACE/SERVICE METHOD PATH` judges a request by the same code. See [who may call](../guides/authorization.md).",
    example: "RBAC: access denied",
  },
  TOKEN_INVALID: {
    remedy:
      'the answer says what is wrong with the token in Envoy\'s words: expired, of an unknown issuer, for another audience, signed by a key that is not known. A request without any token is not refused here: demand one by an AuthorizationPolicy with `requestPrincipals: ["*"]`.',
    example: "Jwt is expired",
  },
  REQUEST_INVALID: {
    remedy:
      "rules go by path and host, so both must be read in one way: a path begins with a slash, has no bytes beyond ASCII and no `%00`, and there is one Host. The server's log names what was wrong.",
    example: "Bad Request",
  },
  DRAINING: {
    remedy: "the process got SIGTERM or `drain()` was called; callers are sent elsewhere as soon as its lease is gone.",
    example: "this process is shutting down and takes no new work (DRAINING)",
  },
};
