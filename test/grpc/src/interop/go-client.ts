/** grpc-go's client of gRPC's interoperability tests, and policy under which all of them pass. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { findGoPeer } from "../../../xds/src/peer/find-go-peers.js";

const run = promisify(execFile);
const client = findGoPeer("interop-client", "gRPC's interoperability tests against servers in the mesh");

export const hasGoClient = client !== undefined;

export const GO_CASES = [
  ...["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream"],
  ...["timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response"],
  ...["status_code_and_message", "special_status_message", "custom_metadata", "unimplemented_method"],
];

/** Rules that look at every call, and let in all that the tests make. */
export const armed = (mode: "PERMISSIVE" | "STRICT"): string => `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: these, namespace: default }
spec: { rules: [{ to: [{ operation: { methods: [POST], paths: ["/grpc.testing.TestService/*"] } }] }] }
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: not-those, namespace: default }
spec: { action: DENY, rules: [{ to: [{ operation: { paths: ["/grpc.testing.OtherService/*"] } }] }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: either, namespace: default }
spec: { mtls: { mode: ${mode} } }
---
apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: many, namespace: default }
spec: { host: echo, rules: [{ name: many, by: [SOURCE_IP], requests: 10000, per: 1s }] }
---
apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: echo, namespace: default }
spec: { host: echo, server: { maxConcurrency: 1000 } }
`;

/** Rejects, with what it said, when the test fails. */
export async function askAsGo(port: number, name: string): Promise<string> {
  const flags = ["-server_host", "127.0.0.1", "-server_port", `${port}`, `-test_case=${name}`];
  const { stderr, stdout } = await run(client ?? "", flags, {
    timeout: 20_000,
    env: { GRPC_GO_LOG_SEVERITY_LEVEL: "info" }, // else nothing says that it did anything
  });
  return stderr + stdout;
}
