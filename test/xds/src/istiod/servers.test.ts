/** Real istiod, profile `grpc`: listeners for the process's own ports, which it has to ask for by name. */

import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { freePort, Istiod } from "./istiod.js";
import { ask, backend, document, meshAt, serviceOf } from "./shop.js";

const binary = findIstiod("servers of a process in profile grpc");

describe.skipIf(binary === undefined)("servers of a process in profile grpc", () => {
  /** `app` at an address of its own, or at one that others have, too. */
  async function serving(address: string) {
    const peer = await backend("v1");
    // Where a process serves, istiod looks up when the process comes: services and policy are there before.
    const port = await freePort();
    const denied = (path: string) => {
      const rules = [{ to: [{ operation: { paths: [path] } }] }];
      const spec = { selector: { matchLabels: { app: "app" } }, action: "DENY", rules };
      return document("AuthorizationPolicy", "no-admin", spec, "security.istio.io/v1");
    };
    const own = { address, ports: { http: port }, labels: { app: "app" } };
    const base = [serviceOf("reviews", [peer]), serviceOf("app", [], { endpoints: [own] })];
    const istiod = await Istiod.start({ binary: binary ?? "", documents: [...base, denied("/admin*")] });
    const mesh = await meshAt(`xds://${istiod.address}?profile=grpc`, { address, labels: { app: "app" } });
    const closing: Server[] = [];
    const serve = async (at: number): Promise<number> => {
      const server = createServer(mesh.handler((_, response) => void response.end("own")));
      closing.push(server);
      await once(server.listen(at, address), "listening");
      return (server.address() as AddressInfo).port;
    };
    return {
      ...{ istiod, mesh, peer, port, serve },
      write: (path: string, ...more: object[]) => istiod.write([...base, ...more, denied(path)]),
      served: async (at: number, path = "/"): Promise<number> => (await fetch(`http://${address}:${at}${path}`)).status,
      [Symbol.asyncDispose]: async () => {
        for (const server of closing) {
          server.closeAllConnections();
          server.close();
        }
        for (const each of [mesh, istiod, peer]) await each[Symbol.asyncDispose]();
      },
    };
  }

  it("serve by the policy of their listeners, and deny all before that", async () => {
    await using town = await serving("127.0.0.71");
    const { mesh, peer, port, serve, served, write } = town;
    const other = await serve(0);
    expect(await served(other)).toBe(403); // istiod knows of no service there
    await serve(port);
    await eventually("its listener has come", async () => (await served(port)) === 200);
    expect([await served(port, "/admin/x"), await served(other)]).toEqual([403, 403]);
    // What calls need is still told, now that others are asked for by name; and policy goes on arriving.
    write("/secret*", serviceOf("ratings", [peer]));
    for (const host of ["reviews", "ratings"])
      await eventually(`${host} can be called`, () =>
        ask(mesh, `http://${host}.shop.svc.cluster.local/`).then(
          (text) => text === "v1",
          () => false,
        ),
      );
    await eventually("the new policy is in force", async () => (await served(port, "/secret/x")) === 403);
    expect([await served(port, "/admin/x"), await served(port), mesh.status.state]).toEqual([200, 200, "ready"]);
  });

  it("go on by what was said last, and say so, when istiod loses sight of an address that several entries share", async () => {
    await using town = await serving("127.0.0.1");
    const { istiod, mesh, peer, port, serve, served, write } = town;
    await serve(port);
    await eventually("its listener has come", async () => (await served(port)) === 200);
    // Its index by IP forgets all entries of an address when one of them changes, and takes in that one alone.
    write("/admin*", serviceOf("zebra", [peer], { resolution: "STATIC" }));
    await eventually("istiod has no service for the port", () =>
      istiod.log.includes("has no service instance for port"),
    );
    await eventually("it is said", () => mesh.status.state === "degraded");
    expect([await served(port), await served(port, "/admin/x")]).toEqual([200, 403]);
  });
});
