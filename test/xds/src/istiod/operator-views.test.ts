/** What processes under a real istiod tell operators: a real istioctl reads their dumps, and inmesh finds them and says how they stand. */

import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, credentials } from "@grpc/grpc-js";
import { systemClock } from "@inmesh/core";
import type { Mesh } from "@inmesh/node";
import { run } from "inmesh";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { findIstioctl, findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { type Backend, backend, document, meshAt, serviceOf, subsetsOf } from "./shop.js";

const binary = findIstiod("views of processes under an istiod");
const istioctl = findIstioctl("dumps of processes");
const HOST = "reviews.shop.svc.cluster.local";
const PROFILES = ["api", "envoy", "grpc"] as const;

const ROUTE = document("VirtualService", "reviews", {
  hosts: ["reviews"],
  http: ["v2", "v1"].map((subset) => ({
    ...(subset === "v2" && { match: [{ headers: { "x-user": { exact: "beta" } } }] }),
    route: [{ destination: { host: "reviews", subset } }],
  })),
});

describe.skipIf(binary === undefined || istioctl === undefined)(
  "processes under an istiod",
  { timeout: 120_000 },
  () => {
    const state = mkdtempSync(join(tmpdir(), "inmesh-views-"));
    let istiod: Istiod;
    let backends: Backend[];
    const meshes = new Map<string, Mesh & AsyncDisposable>();
    const servers = new Set<ReturnType<typeof createServer>>();
    beforeAll(async () => {
      backends = [await backend("v1"), await backend("v2")];
      istiod = await Istiod.start({
        binary: binary ?? "",
        documents: [serviceOf("reviews", backends), subsetsOf("reviews", ["v1", "v2"]), ROUTE],
      });
      for (const profile of PROFILES) {
        const mesh = await meshAt(`xds://${istiod.address}?profile=${profile}`, {
          ...{ service: `web-${profile}`, admin: "127.0.0.1:0", csds: "127.0.0.1:0", stateDir: state, identity: "off" },
        });
        meshes.set(profile, mesh);
        const server = mesh.attach(createServer(mesh.handler((_, response) => void response.end("web"))));
        servers.add(server);
        await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
        for (const user of ["beta", "other"])
          expect(await (await mesh.fetch("http://reviews/", { headers: { "x-user": user } })).text()).toMatch(
            /^v[12]$/,
          );
      }
    });
    afterAll(async () => {
      for (const server of servers) server.close();
      for (const mesh of meshes.values()) await mesh[Symbol.asyncDispose]();
      for (const each of backends ?? []) await each[Symbol.asyncDispose]();
      await istiod?.[Symbol.asyncDispose]();
      rmSync(state, { recursive: true, force: true });
    });

    /** What istioctl prints of a page, without its titles. */
    async function table(profile: string, page: string, kind: string): Promise<readonly string[]> {
      const file = join(state, `${profile}-${kind}.json`);
      writeFileSync(file, await (await fetch(`${meshes.get(profile)?.adminUrl}${page}?format=json`)).text());
      const out = await new Promise<string>((resolve, reject) => {
        execFile(istioctl ?? "", ["proxy-config", kind, "-f", file], (error, stdout, stderr) =>
          error === null ? resolve(stdout) : reject(new Error(stderr)),
        );
      });
      const lines = out.trim().split("\n").slice(1);
      return lines.map((line) => line.trim().split(/ {2,}/).join(" | "));
    }

    it.each(PROFILES)("istioctl reads what a process of profile %s has", async (profile) => {
      const [clusters, routes, endpoints, listeners] = await Promise.all([
        table(profile, "/config_dump", "clusters"),
        table(profile, "/config_dump", "routes"),
        table(profile, "/clusters", "endpoints"),
        table(profile, "/config_dump", "listeners"),
      ]);
      const subsets = ["v1", "v2"].map((subset) => `${HOST} | 80 | ${subset} | outbound | EDS`);
      // istiod names the DestinationRule to Envoys only.
      for (const line of subsets) expect(clusters).toContain(profile === "grpc" ? line : `${line} | reviews.shop`);
      expect(routes.filter((line) => line.includes(`${HOST}:80 | reviews, reviews.shop`))).toHaveLength(2);
      expect(routes.every((line) => !line.includes(`${HOST}:80`) || line.endsWith("reviews.shop"))).toBe(true);
      for (const [at, { port }] of backends.entries()) {
        expect(endpoints).toContain(`127.0.0.1:${port} | HEALTHY | OK | outbound|80|v${at + 1}|${HOST}`);
      }
      if (profile === "envoy")
        expect(listeners).toContain("0.0.0.0 | 80 | Trans: raw_buffer; App: http/1.1,h2c | Route: 80");
    });

    it.each(PROFILES)("a process of profile %s tells clients of status discovery what it was told", async (profile) => {
      const { registry } = meshes.get(profile)?.status ?? {};
      const client = new Client(registry?.xds?.clientStatus ?? "", credentials.createInsecure());
      const raw = (bytes: Buffer) => bytes;
      const path = "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus";
      const bytes = await new Promise<Buffer>((resolve, reject) => {
        client.makeUnaryRequest(path, raw, raw, Buffer.alloc(0), (error, answer) =>
          error ? reject(error) : resolve(answer ?? Buffer.alloc(0)),
        );
      });
      client.close();
      expect(bytes.includes(registry?.xds?.node ?? "nobody")).toBe(true);
      const [url, name] =
        profile === "api"
          ? ["networking.istio.io/v1/VirtualService", "shop/reviews"]
          : ["type.googleapis.com/envoy.config.cluster.v3.Cluster", `outbound|80|v1|${HOST}`];
      expect([bytes.includes(url), bytes.includes(name)]).toEqual([true, true]);
    });

    async function inmesh(...line: readonly string[]): Promise<string> {
      let out = "";
      await run([...line, "--config", `xds://${istiod.address}`], {
        stdout: { write: (text) => (out += text) },
        stderr: { write: () => {} },
        stdin: (async function* () {})(),
        ...{ env: { INMESH_STATE_DIR: state }, cwd: state, clock: systemClock, user: "tester" },
        signal: new AbortController().signal,
      });
      return out;
    }

    it("inmesh finds them by themselves, and says of each how it and its control plane stand", async () => {
      const { dataPlanes } = JSON.parse(await inmesh("status", "-o", "json"));
      expect(dataPlanes.map(({ service }: { service: string }) => service).sort()).toEqual(
        PROFILES.map((each) => `web-${each}`),
      );
      for (const { service, xds, state: stands } of dataPlanes) {
        expect([service, xds.profile, xds.server]).toEqual([service, service.slice(4), istiod.address]);
        expect(xds.node).toMatch(/^sidecar~/);
        expect(xds.types.every(({ states }: { states: object }) => "ACKED" in states)).toBe(true);
        // istiod has no listener for a port that no service has: one of profile grpc waits for it.
        expect(stands).toBe(service === "web-grpc" ? stands : "synced");
      }
      const edges = JSON.parse(await inmesh("edges", "--interval", "100ms", "-o", "json"));
      expect(JSON.stringify(edges)).toContain("web-envoy");
      const explained = await inmesh("explain", "GET", "http://reviews/", "--from", "shop/web-envoy");
      expect(explained).toMatch(/now +reviews\.shop subset v1: 1 of 1 endpoint in use; last 1 call: p50/);
      expect(await inmesh("proxy-config", "routes", "web-envoy", "-n", "shop")).toContain('header x-user exact "beta"');
    });
  },
);
