/** gRPC's interoperability tests: grpc-go's client, a server of grpc-js in the mesh with everything armed that a server has. */

import { beforeAll, describe, expect, it } from "vitest";
import { givenBy, MeshAuthority, PAY } from "../server/mesh-authority.js";
import { ServedMesh } from "../server/served-mesh.js";
import { armed, askAsGo, GO_CASES, hasGoClient } from "./go-client.js";
import { TEST_HANDLERS, TEST_SERVICE } from "./test-service.js";

describe.skipIf(!hasGoClient)("a client of grpc-go", () => {
  let served: ServedMesh;
  beforeAll(async () => {
    served = await ServedMesh.start(armed("PERMISSIVE"), { identity: givenBy(new MeshAuthority(), PAY) });
    served.server.addService(TEST_SERVICE, TEST_HANDLERS);
    return () => served[Symbol.asyncDispose]();
  });

  it.each(GO_CASES)("passes %s", async (name) => {
    expect(await askAsGo(served.port, name)).toMatch(/done|succe/i);
  });

  it("fails one whose service policy does not let in", async () => {
    await expect(askAsGo(served.port, "unimplemented_service")).rejects.toThrow(/PermissionDenied/);
  });
});
