/** The interoperability cases against grpc-go's own server: as without the mesh, and through it with every feature armed. */

import { type ClientOptions, credentials } from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { afterAll, beforeAll, describe, it } from "vitest";
import { meshOfYaml, serviceAt } from "../lib/yaml-mesh.js";
import { CASES, TestService, UnimplementedService } from "./cases.js";
import { everything, HOST, hasGoServer, startGoServer } from "./go-server.js";

const closing: (() => unknown)[] = [];

let port = 0;
let mesh: Mesh;

beforeAll(async () => {
  if (!hasGoServer) return;
  port = await startGoServer(closing);
  mesh = await meshOfYaml([serviceAt(HOST, [port]), ...everything()], closing);
});

afterAll(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe.skipIf(!hasGoServer).each([
  ["as without the mesh", () => ({ target: `127.0.0.1:${port}`, options: {} })],
  ["through the mesh, everything armed", () => ({ target: `${HOST}:50051`, options: mesh.grpc.options() })],
])("%s", (way, given: () => { target: string; options: ClientOptions }) => {
  // Without the mesh it is grpc-js alone, which takes the server's reset at the deadline for a cancellation where its own timer is late.
  const retry = way === "as without the mesh" ? 2 : 0;
  it.each(Object.keys(CASES))("%s", { retry }, async (name) => {
    const { target, options } = given();
    const client = new TestService(target, credentials.createInsecure(), options);
    const other = new UnimplementedService(target, credentials.createInsecure(), options);
    try {
      await CASES[name]!(client, other);
    } finally {
      client.close();
      other.close();
    }
  });
});
