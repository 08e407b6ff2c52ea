/** gRPC's interoperability tests: grpc-go's client, a server of grpc-js in the mesh with everything armed that a server has. */

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { beforeAll, describe, expect, it } from "vitest";
import { findGoPeer } from "../../../xds/src/peer/find-go-peers.js";
import { givenBy, MeshAuthority, PAY } from "../server/mesh-authority.js";
import { ServedMesh } from "../server/served-mesh.js";
import { TEST_HANDLERS, TEST_SERVICE } from "./test-service.js";

const client = findGoPeer("interop-client", "gRPC's interoperability tests against servers in the mesh");
const run = promisify(execFile);

const CASES = [
  ...["empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream"],
  ...["timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response"],
  ...["status_code_and_message", "special_status_message", "custom_metadata", "unimplemented_method"],
];

/** Rules that look at every call, and let in all that the tests make. */
const ARMED = `apiVersion: security.istio.io/v1
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
spec: { mtls: { mode: PERMISSIVE } }
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

describe.skipIf(client === undefined)("a client of grpc-go", () => {
  let served: ServedMesh;
  beforeAll(async () => {
    served = await ServedMesh.start(ARMED, { identity: givenBy(new MeshAuthority(), PAY) });
    served.server.addService(TEST_SERVICE, TEST_HANDLERS);
    return () => served[Symbol.asyncDispose]();
  });

  const ask = (name: string) =>
    run(client ?? "", ["-server_host", "127.0.0.1", "-server_port", `${served.port}`, `-test_case=${name}`], {
      timeout: 20_000,
      env: { GRPC_GO_LOG_SEVERITY_LEVEL: "info" }, // else nothing says that it did anything
    });

  it.each(CASES)("passes %s", async (name) => {
    const { stderr, stdout } = await ask(name);
    expect(stderr + stdout).toMatch(/done|succe/i);
  });

  it("fails one whose service policy does not let in", async () => {
    await expect(ask("unimplemented_service")).rejects.toThrow(/PermissionDenied/);
  });
});
