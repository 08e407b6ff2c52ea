/** Whose word counts at the edge of a mesh with identities: callers with a certificate, and strangers. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { createMesh, type Mesh, type MeshOptions } from "@inmesh/node";
import { afterEach, expect, it } from "vitest";
import { until } from "../prometheus/prometheus.js";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const HEADERS = {
  ...{ traceparent: `00-${TRACE}-b7ad6b7169203331-01`, baggage: "user=7" },
  ...{ "x-tenant": "acme", "x-other": "1" },
};

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Seen {
  /** What the application saw of the request, and what its call carried on. */
  readonly asked: NodeJS.Dict<string | string[]>;
  readonly leaf: NodeJS.Dict<string | string[]>;
}

/** `/ask` calls the same service again. @returns asks it with a certificate of the mesh, and without one */
async function edge(options: MeshOptions): Promise<{ member(): Promise<Seen>; stranger(): Promise<Seen> }> {
  const folder = mkdtempSync(join(tmpdir(), "inmesh-edge-"));
  closing.push(() => rmSync(folder, { recursive: true, force: true }));
  const open = async (service: string, more: MeshOptions = {}): Promise<Mesh> => {
    const shared = { config: folder, identity: "ca", log: "error", admin: "off", propagationDelayMs: 0 } as const;
    const mesh = await createMesh({ service, ...shared, ...more });
    closing.push(() => mesh.close());
    return mesh;
  };
  const served = await open("reviews", { tracingSampling: 0, ...options });
  const answer = async ({ url, headers }: IncomingMessage): Promise<string> => {
    if (url !== "/ask") return JSON.stringify(headers);
    return JSON.stringify({ asked: headers, leaf: await (await served.fetch("http://reviews/leaf")).json() });
  };
  const server = served.attach(
    createServer((asked, response) => void answer(asked).then((body) => response.end(body))),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(() => server.close().closeAllConnections());
  const caller = await open("web");
  await until(async () => (await caller.fetch("http://reviews/leaf")).ok, "reviews to be found");
  return {
    member: async () => (await (await caller.fetch("http://reviews/ask", { headers: HEADERS })).json()) as Seen,
    stranger: async () => {
      const { port } = server.address() as AddressInfo;
      const sent = request({ port, host: "127.0.0.1", path: "/ask", headers: HEADERS, agent: false }).end();
      const response = await new Promise<IncomingMessage>((resolve) => sent.once("response", resolve));
      return JSON.parse(await text(response)) as Seen;
    },
  };
}

const flags = ({ leaf }: Seen): unknown => String(leaf["traceparent"]).slice(-2);
const baggage = ({ asked, leaf }: Seen): unknown => [asked["baggage"], leaf["baggage"]];

it("takes everybody's by default, and hands on no other header", async () => {
  const { member, stranger } = await edge({});
  for (const seen of [await member(), await stranger()]) {
    expect([flags(seen), baggage(seen), seen.leaf["x-tenant"]]).toEqual(["01", ["user=7", "user=7"], undefined]);
  }
});

it("tracingTrust: mesh and baggageTrust: mesh take that of callers with a certificate only", async () => {
  const { member, stranger } = await edge({ tracingTrust: "mesh", baggageTrust: "mesh" });
  const [known, unknown] = [await member(), await stranger()];
  expect([flags(known), baggage(known)]).toEqual(["01", ["user=7", "user=7"]]);
  // The trace goes on, recorded or not as this process decides.
  expect(String(unknown.leaf["traceparent"])).toContain(TRACE);
  expect([flags(unknown), baggage(unknown)]).toEqual(["00", [undefined, undefined]]);
});

it("none takes nobody's, and forwardHeaders hands on what is named", async () => {
  const { member } = await edge({ tracingTrust: "none", baggageTrust: "none", forwardHeaders: ["x-tenant"] });
  const seen = await member();
  expect([flags(seen), baggage(seen)]).toEqual(["00", [undefined, undefined]]);
  expect([seen.leaf["x-tenant"], seen.leaf["x-other"]]).toEqual(["acme", undefined]);
});
