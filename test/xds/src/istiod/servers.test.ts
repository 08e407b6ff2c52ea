/** Real istiod, profile `grpc`: listeners for the process's own ports, which it has to ask for by name. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { freePort, Istiod } from "./istiod.js";
import { ask, backend, document, meshAt, serviceOf } from "./shop.js";

const binary = findIstiod("servers of a process in profile grpc");

it.skipIf(binary === undefined)("serves by the policy of its listener, and denies all before that", async () => {
  await using peer = await backend("v1");
  // Where a process serves, istiod looks up when the process comes: services and policy are there before.
  const port = await freePort();
  const spec = { selector: { matchLabels: { app: "app" } }, action: "DENY" };
  const rules = [{ to: [{ operation: { paths: ["/admin*"] } }] }];
  const base = [
    serviceOf("reviews", [peer]),
    serviceOf("app", [{ ...peer, port }]),
    document("AuthorizationPolicy", "no-admin", { ...spec, rules }, "security.istio.io/v1"),
  ];
  await using istiod = await Istiod.start({ binary: binary ?? "", documents: base });
  await using mesh = await meshAt(`xds://${istiod.address}?profile=grpc`, {
    address: "127.0.0.1",
    labels: { app: "app" },
  });
  const closing: Server[] = [];
  const serve = async (at: number): Promise<number> => {
    const server = createServer(mesh.handler((_, response) => void response.end("own")));
    closing.push(server);
    await once(server.listen(at, "127.0.0.1"), "listening");
    return (server.address() as AddressInfo).port;
  };
  const served = async (at: number, path = "/"): Promise<number> =>
    (await fetch(`http://127.0.0.1:${at}${path}`)).status;
  try {
    const other = await serve(0);
    expect(await served(other)).toBe(403); // istiod knows of no service there
    await serve(port);
    await eventually("its listener has come", async () => (await served(port)) === 200);
    expect([await served(port, "/admin/x"), await served(other)]).toEqual([403, 403]);
    // What calls need is still told, now that others are asked for by name.
    istiod.write([...base, serviceOf("ratings", [peer])]);
    for (const host of ["reviews", "ratings"])
      await eventually(`${host} can be called`, () =>
        ask(mesh, `http://${host}.shop.svc.cluster.local/`).then(
          (text) => text === "v1",
          () => false,
        ),
      );
  } finally {
    for (const server of closing) {
      server.closeAllConnections();
      server.close();
    }
  }
});
