/** Affinity beside a sidecar: a request goes to the same endpoint from a process of ours and from a real Envoy. */

import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { testEngine } from "@inmesh/core/testing";
import type { HashAlgorithm, HashKey } from "@inmesh/model";
import { findEnvoy } from "@inmesh-test/identity/peer";
import { request as send } from "undici";
import { describe, expect, it, vi } from "vitest";
import { runEnvoy } from "../../bench/src/lib/envoy.js";
import { at, envoyConfiguration } from "./envoy-configuration.js";

const ENDPOINTS = 7;
const REQUESTS = 150;
const WEIGHTS = [1, 2, 3, 5, 1, 4, 2];

const HEADER: HashKey = { kind: "header", name: "x-user" };
/** Set by the rule. */
const RULE: HashKey = { kind: "header", name: "x-rule" };
const QUERY: HashKey = { kind: "queryParameter", name: "q" };
const COOKIE: HashKey = { kind: "cookie", name: "session", path: "/", attributes: [] };

/** A cluster and a route each. */
const CASES: readonly { name: string; hash: HashAlgorithm; weights: readonly number[]; keys: readonly HashKey[] }[] = [
  { name: "ring", hash: { kind: "ringHash", minimumRingSize: 1024 }, weights: [], keys: [HEADER] },
  { name: "small-ring", hash: { kind: "ringHash", minimumRingSize: 1 }, weights: [], keys: [QUERY] },
  { name: "weighted-ring", hash: { kind: "ringHash", minimumRingSize: 2000 }, weights: WEIGHTS, keys: [COOKIE] },
  { name: "maglev", hash: { kind: "maglev", tableSize: 65_537 }, weights: [], keys: [HEADER, COOKIE, RULE] },
  {
    name: "weighted-maglev",
    hash: { kind: "maglev", tableSize: 307 },
    weights: WEIGHTS,
    keys: [QUERY, HEADER, HEADER],
  },
];

function hashPolicy(key: HashKey): unknown {
  if (key.kind === "header") return { header: { header_name: key.name } };
  if (key.kind === "queryParameter") return { query_parameter: { name: key.name } };
  return key.kind === "cookie" ? { cookie: { name: key.name } } : { connection_properties: { source_ip: true } };
}

function configuration(ports: readonly number[]): unknown {
  const routes = CASES.map(({ name, keys }) => ({
    match: { prefix: `/${name}` },
    route: { cluster: name, hash_policy: keys.map(hashPolicy) },
    // What a rule makes of the request is hashed, not what the caller sent.
    request_headers_to_add: [
      { header: { key: "x-rule", value: "of the rule" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" },
    ],
  }));
  const clusters = CASES.map(({ name, hash, weights }) => ({
    name,
    type: "STATIC",
    connect_timeout: "10s",
    ...(hash.kind === "maglev"
      ? { lb_policy: "MAGLEV", maglev_lb_config: { table_size: hash.tableSize } }
      : { lb_policy: "RING_HASH", ring_hash_lb_config: { minimum_ring_size: hash.minimumRingSize } }),
    load_assignment: {
      cluster_name: name,
      endpoints: [
        {
          lb_endpoints: ports.map((port, index) => ({
            endpoint: { address: at(port) },
            load_balancing_weight: weights[index] ?? 1,
          })),
        },
      ],
    },
  }));
  return envoyConfiguration("hashing", routes, clusters);
}

/** Servers that say their own port. */
async function backends(): Promise<readonly Server[]> {
  const servers = Array.from({ length: ENDPOINTS }, () =>
    createServer((request, response) => response.end(String(request.socket.localPort))),
  );
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))));
  return servers;
}

interface Asked {
  readonly path: string;
  /** Flat. */
  readonly headers: readonly string[];
}

/** Some with repeated lines, an empty value, or without the parts that are hashed. */
function requests(name: string): readonly Asked[] {
  return Array.from({ length: REQUESTS }, (_, index) => ({
    path: `/${name}?a=${index}&q=${name === "weighted-maglev" && index % 9 === 0 ? "" : `v%20${index}`}`,
    headers: [
      ...["x-user", `user-${index * 7}`],
      ...(index % 3 === 0 ? ["x-user", `also-${index}`] : []),
      ...["cookie", index % 2 === 0 ? `a=b; session="s-${index}"` : `session=s-${index}; a=b`],
    ],
  }));
}

describe("consistentHash", () => {
  it("leads to the endpoint that a real Envoy chooses", { timeout: 60_000 }, async (context) => {
    const binary = findEnvoy("which endpoint a hash leads to");
    if (binary === undefined) return context.skip("no Envoy to compare with");
    const servers = await backends();
    const ports = servers.map((server) => (server.address() as AddressInfo).port);
    const folder = mkdtempSync(join(tmpdir(), "inmesh-hash-"));
    const envoy = await runEnvoy({ binary, folder, name: "hashing", cpu: 0 }, configuration(ports));
    const wrong: unknown[] = [];
    const reached = new Set<string>();
    try {
      for (const { name, hash, weights, keys } of CASES) {
        const { send: call } = testEngine({
          clusters: {
            [name]: {
              endpoints: ports.map((port, index) => ({ id: `127.0.0.1:${port}`, weight: weights[index] ?? 1 })),
              policy: { hash },
            },
          },
          hosts: {
            [name]: [{ hashKeys: keys, requestHeaders: { remove: [], set: [["x-rule", "of the rule"]], add: [] } }],
          },
        });
        const first = call(name).exchange; // waits for the hash function
        await vi.waitFor(() => expect(first.attempts).toHaveLength(1));
        for (const { path, headers } of requests(name)) {
          const { body } = await send(`http://127.0.0.1:${envoy.port}${path}`, { headers: [...headers] });
          const theirs = await body.text();
          const { exchange } = call(name, { path, headers });
          const ours = String(exchange.attempts[0]?.endpoint.endpoint.port);
          reached.add(theirs);
          if (ours !== theirs) wrong.push({ name, path, headers, theirs, ours });
        }
      }
    } finally {
      await envoy.stop();
      for (const server of servers) server.closeAllConnections();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
      rmSync(folder, { recursive: true });
    }
    expect({ reached: reached.size, wrong: wrong.length, first: wrong.slice(0, 3) }).toEqual({
      reached: ENDPOINTS,
      wrong: 0,
      first: [],
    });
  });
});
