/** Real istiod: the access log that MeshConfig asks for is written, in each profile that tells of it. */

import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { ask, backend, meshAt, serviceOf } from "./shop.js";

const binary = findIstiod("access logs by an istiod's word");

it.skipIf(binary === undefined).each(["api", "envoy"])("writes the mesh's access log, profile %s", async (profile) => {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-log-"));
  const accessLogFile = join(folder, "access.log");
  await using peer = await backend("v1");
  await using istiod = await Istiod.start({
    ...{ binary: binary ?? "", documents: [serviceOf("reviews", [peer])] },
    mesh: { accessLogFile, accessLogFormat: "it was %REQ(:METHOD)% %REQ(:PATH)%: %RESPONSE_CODE%\n" },
  });
  await using mesh = await meshAt(`xds://${istiod.address}?profile=${profile}`);
  const server = createServer(mesh.handler((_, response) => void response.end("own")));
  try {
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as AddressInfo;
    const lines = await eventually("both are written", async () => {
      await ask(mesh, "http://reviews.shop.svc.cluster.local/called");
      await fetch(`http://127.0.0.1:${port}/served`);
      const text = existsSync(accessLogFile) ? readFileSync(accessLogFile, "utf8") : "";
      return text.includes("/called") && text.includes("/served") ? text : undefined;
    });
    expect([...new Set(lines.trim().split("\n"))].sort()).toEqual([
      "it was GET /called: 200",
      "it was GET /served: 200",
    ]);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
