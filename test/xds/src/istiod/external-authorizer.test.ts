/** Real istiod: a service that MeshConfig names judges requests to a process, in each profile that tells of it. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { freePort, Istiod } from "./istiod.js";
import { document, meshAt, serviceOf } from "./shop.js";

const binary = findIstiod("external authorizers of an istiod's mesh");
const ADDRESS = "127.0.0.73";

it.skipIf(binary === undefined).each(["api", "envoy"])(
  "asks the authorizer of a policy, profile %s",
  async (profile) => {
    const judge = createServer(({ headers, url }, response) => {
      response.statusCode = headers["x-pass"] === "yes" ? 200 : 418;
      response.setHeader("x-why", `asked about ${url}`);
      response.end();
    });
    await once(judge.listen(0, "127.0.0.1"), "listening");
    const { port: judgePort } = judge.address() as AddressInfo;
    const port = await freePort();
    const envoyExtAuthzHttp = {
      ...{ service: "judge.shop.svc.cluster.local", port: 80, includeRequestHeadersInCheck: ["x-pass"] },
      ...{ headersToDownstreamOnDeny: ["x-why"], headersToUpstreamOnAllow: ["x-why"], pathPrefix: "/check" },
    };
    const own = { address: ADDRESS, ports: { http: port }, labels: { app: "app" } };
    const rules = [{ to: [{ operation: { paths: ["/judged*"] } }] }];
    const custom = { selector: { matchLabels: { app: "app" } }, action: "CUSTOM", provider: { name: "judge" }, rules };
    await using istiod = await Istiod.start({
      ...{ binary: binary ?? "", mesh: { extensionProviders: [{ name: "judge", envoyExtAuthzHttp }] } },
      documents: [
        serviceOf("app", [], { endpoints: [own] }),
        serviceOf("judge", [{ port: judgePort, name: "v1", [Symbol.asyncDispose]: async () => {} }]),
        document("AuthorizationPolicy", "ask", custom, "security.istio.io/v1"),
      ],
    });
    await using mesh = await meshAt(`xds://${istiod.address}?profile=${profile}`, {
      ...{ address: ADDRESS, labels: { app: "app" } },
    });
    const server = createServer(mesh.handler(({ headers }, response) => void response.end(headers["x-why"] ?? "own")));
    try {
      await once(server.listen(port, ADDRESS), "listening");
      const ask = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
        fetch(`http://${ADDRESS}:${port}${path}`, { headers });
      await eventually("the policy is in force", async () => (await ask("/judged")).status === 418);
      expect((await ask("/judged")).headers.get("x-why")).toBe("asked about /check/judged");
      expect(await (await ask("/judged/a", { "x-pass": "yes" })).text()).toBe("asked about /check/judged/a");
      expect(await (await ask("/free")).text()).toBe("own");
      await close(judge);
      expect((await ask("/judged", { "x-pass": "yes" })).status).toBe(403); // it cannot be asked
    } finally {
      await Promise.all([judge, server].map(close));
    }
  },
);

async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  if (server.listening) await new Promise((resolve) => server.close(resolve));
}
