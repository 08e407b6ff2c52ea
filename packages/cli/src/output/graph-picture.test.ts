import type { Graph } from "@inmesh/core/admin";
import { expect, it } from "vitest";
import { dotOf, mermaidOf } from "./graph-picture.js";

const TRAFFIC = {
  ...{ calls: 20, successes: 19, failures: 1, retries: 0, inFlight: 0, rps: 10 },
  ...{ successRatio: 0.95, retryRatio: 0, p50Ms: 2, p95Ms: 4, p99Ms: 5 },
};

function graphOf(name: string): Graph {
  const node = { namespace: "shop", reasons: [], processes: [], measuredBy: "callers", traffic: TRAFFIC } as const;
  return {
    intervalMs: 1_000,
    nodes: [
      { ...node, id: name, name, kind: "external", versions: [], health: "failing", reasons: ["5.0% of calls fail"] },
      {
        ...{ ...node, id: "shop/web", name: "web", kind: "service", health: "healthy" },
        processes: [{ process: "shop/web-1", version: "v1", state: "ready" }],
        versions: [{ version: "v1", processes: 1, attempts: 0, failures: 0 }],
      },
    ],
    edges: [
      {
        ...{ source: "shop/web", target: name, host: name, kind: "call", traffic: TRAFFIC, versions: [], routes: [] },
        ...{ secured: "no", plaintext: [], health: "failing", reasons: ["5.0% of calls fail"] },
      },
    ],
  };
}

it("draws services, rates, success, latency and security", () => {
  expect(mermaidOf(graphOf("api.example.com")).split("\n").slice(0, 4)).toEqual([
    "flowchart LR",
    '  n0[["api.example.com<br/>failing: 5.0% of calls fail"]]:::failing',
    '  n1["shop/web<br/>1 process: v1 x1"]:::healthy',
    '  n1 -->|"10.0/s, 95.0%, p95 4ms, plaintext<br/>5.0% of calls fail"| n0',
  ]);
  expect(dotOf(graphOf("api.example.com"))).toContain(
    '"shop/web" -> "api.example.com" [label="10.0/s, 95.0%, p95 4ms, plaintext\\n5.0% of calls fail", color="#cf222e"];',
  );
});

it("lets no name out of its label", () => {
  const hostile = 'a"]:::x\nclick n0 "javascript:alert(1)"<script>\\';
  const mermaid = mermaidOf(graphOf(hostile));
  expect(mermaid).not.toMatch(/^click|<script|javascript:alert\(1\)"/m);
  expect(mermaid.split("\n")).toHaveLength(mermaidOf(graphOf("a")).split("\n").length);
  const dot = dotOf(graphOf(hostile));
  expect(dot.split("\n")).toHaveLength(dotOf(graphOf("a")).split("\n").length);
  // Every quote of the name is escaped, and so is the backslash that would have escaped the closing one.
  expect(dot).toContain('<script>\\\\" [label=');
});
