import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { REVIEWS } from "../testing/policy.js";
import { FakeProcess, runCli, TemporaryFolder } from "../testing/run-cli.js";

function mesh(): TemporaryFolder {
  const folder = new TemporaryFolder();
  folder.write("mesh/reviews.yaml", REVIEWS);
  return folder;
}

const MODE = `apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: mesh, namespace: istio-system }
spec: { mode: "off" }
`;
const LIMITS = `apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: reviews, namespace: shop }
spec:
  host: reviews
  rules: [{ name: by-source, by: [SOURCE_IP], requests: 50, per: 1s, burst: 100 }]
---
apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: reviews, namespace: shop }
spec:
  host: reviews
  server:
    maxConcurrency: 200
    adaptiveConcurrency: { max: 200 }
    maxEventLoopDelay: 200ms
    priorities: [{ priority: CRITICAL, match: [{ uri: { prefix: /pay } }] }]
    priorityHeader: x-priority
`;
const SUBSETTING = `apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: reviews, namespace: shop }
spec: { host: reviews, subsetting: { size: 2 } }
`;
const RESILIENCE = `apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: reviews, namespace: shop }
spec: { host: reviews, retry: { percent: 20 }, hedging: { attempts: 2 } }
`;

const BREAKER = `apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: reviews, namespace: shop }
spec: { host: reviews }
`;
const NARROW = `apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: narrow, namespace: shop }
spec:
  workloadSelector: { labels: { app: web } }
  egress: [{ hosts: ["other/*"] }]
`;

describe("inmesh describe", () => {
  it("tells all that applies to a service", async () => {
    using folder = mesh();
    const { code, stdout, stderr } = await runCli(["describe", "reviews"], { cwd: folder.path });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toBe(`reviews in namespace shop
  host       reviews.shop.svc.cluster.local, called as http://reviews/ in its namespace, http://reviews.shop/ elsewhere
  defined    by ServiceEntry/shop/reviews (reviews.yaml:1)
  ports      80 http
  runs       at 2 endpoints
               v1: 10.0.0.1:80 (reviews-0)
               v2: 10.0.0.2:80 (reviews-1)
  rules      of VirtualService/shop/reviews (reviews.yaml:21), the first that matches
               1 "beta": header x-user exact "beta"
                   goes to reviews.shop:80 v2; no timeout; 2 retries on connect-failure,refused-stream,unavailable,cancelled
               2 "canary": everything
                   goes to reviews.shop:80 v1 90%, reviews.shop:80 v2 10%; timeout 3s; 3 retries on 5xx,reset, each attempt at most 1s
  policy     of DestinationRule/shop/reviews (reviews.yaml:12)
               balanced by least request; connects within 10s; TLS DISABLE
               subset v1 (version=v1): 1 endpoint
               subset v2 (version=v2): 1 endpoint
  seen       by every running process
  problems   none
`);
  });

  it("tells of a service that is only its processes, and of what chooses them", async () => {
    using folder = mesh();
    const cwd = folder.path;
    folder.write("mesh/narrow.yaml", NARROW);
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {});
    const { stdout } = await runCli(["describe", "shop/web"], { cwd });
    expect(stdout).toContain("defined    by its processes, which register themselves\n");
    expect(stdout).toContain("rules      no VirtualService: every call goes to any endpoint\n");
    expect(stdout).toContain("policy     no DestinationRule: defaults\n");
    expect(stdout).toContain("selected   by Sidecar/shop/narrow (narrow.yaml:1)\n");
    const reviews = await runCli(["describe", "reviews"], { cwd });
    expect(reviews.stdout).toContain("seen       by all but shop/web: see their Sidecar, and exportTo\n");
  });

  it("tells what the service's own processes let in, and what each has counted", async () => {
    using folder = mesh();
    const cwd = folder.path;
    folder.write("mesh/limits.yaml", LIMITS);
    const gate = {
      rateLimits: [{ name: "shop/reviews/by-source", buckets: 3, passed: 120, refused: 4 }],
      admission: {
        ...{ inFlight: 7, adaptiveLimit: 57, loopDelayMs: 1.5, admitted: 120 },
        refused: { critical: 0, default: 5, sheddable: 15 },
        reasons: { maxConcurrency: 2, adaptiveConcurrency: 18, maxEventLoopDelay: 0 },
      },
    };
    const lease = { service: "reviews", labels: { app: "reviews" } };
    const stats = { atMs: 1, inbound: {} };
    const [one, two] = [{ "/stats": { ...stats, gate } }, { "/stats": stats }];
    await using _ = await FakeProcess.start(join(cwd, "mesh"), { ...lease, instance: "a" }, one);
    await using __ = await FakeProcess.start(join(cwd, "mesh"), { ...lease, instance: "b" }, two);
    const { code, stdout, stderr } = await runCli(["describe", "reviews"], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`
  server     takes 50 requests per 1s for each SOURCE_IP, 100 at once: rule by-source of RateLimit/shop/reviews (limits.yaml:1)
             sheds load beyond 200 requests at a time, a limit it finds between 5 and 200 at a time, 200ms of delay of the event loop: Resilience/shop/reviews (limits.yaml:8)
               shop/reviews-a: 7 being served; limit found 57; event loop 1.5ms late; 120 let in, 20 turned away, most by adaptiveConcurrency; by-source: 120 passed, 4 refused, 3 buckets
               shop/reviews-b: not known, it has not taken this policy
`);
    const { json } = await runCli(["describe", "reviews", "-o", "json"], { cwd });
    expect(json<{ services: { server: unknown }[] }>().services[0]?.server).toMatchObject({
      rateLimits: [{ name: "shop/reviews/by-source", by: ["SOURCE_IP"], requests: 50, perMs: 1_000, burst: 100 }],
      admission: { maxConcurrency: 200, priorities: ["critical"], priorityHeader: "x-priority" },
      processes: [
        { name: "shop/reviews-a", gate, failure: null },
        { name: "shop/reviews-b", gate: null },
      ],
    });
  });

  it("tells which endpoints get no calls from its callers, and why", async () => {
    using folder = new TemporaryFolder();
    const cwd = folder.path;
    folder.write("mesh/reviews.yaml", REVIEWS);
    folder.write(
      "mesh/rule.yaml",
      "apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: outliers, namespace: shop}\nspec: {host: reviews, trafficPolicy: {outlierDetection: {}}}\n",
    );
    const out = [{ by: "outlierDetection", reason: "5 attempts in a row failed", sinceMs: 100, forMs: 900 }];
    const endpoints = [
      { id: "10.0.0.1:80", out },
      { id: "10.0.0.2:80", out: [] },
    ];
    const cluster = {
      host: "reviews.shop.svc.cluster.local",
      port: 80,
      subset: "",
      usable: 1,
      panic: false,
      endpoints,
    };
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/clusters": { clusters: [cluster] } });
    const { stdout } = await runCli(["describe", "reviews"], { cwd });
    expect(stdout).toContain(
      "shop/web-1 to port 80: 1 of 2 endpoints in use; 10.0.0.1:80 is out: 5 attempts in a row failed, for 900 ms more\n",
    );
  });

  it("tells how full the limits of its callers are, and how their breakers stand", async () => {
    using folder = mesh();
    const cwd = folder.path;
    folder.write("mesh/breaker.yaml", BREAKER);
    const none = { inUse: 0, most: 0, overflows: 0 };
    const limits = { requests: { inUse: 3, most: 100, overflows: 7 }, pending: none, connections: none, retries: none };
    const text = 'open for "outbound|80|v1|reviews" since 2 s: 60% of 40 attempts failed; next probe in 8 s';
    const breaker = { resource: "CircuitBreaker/shop/reviews", text, refused: 12 };
    const cluster = { host: "reviews.shop.svc.cluster.local", port: 80, subset: "v1", limits, breakers: [breaker] };
    const answers = { "/clusters": { clusters: [cluster, { ...cluster, host: "other" }] } };
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, answers);
    const { code, stdout, stderr } = await runCli(["describe", "reviews"], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(`
  callers    shop/web-1 to port 80 v1: requests 3 of 100, 7 too many so far
             shop/web-1 to port 80 v1: CircuitBreaker/shop/reviews ${text}; 12 refused so far
`);
    const { json } = await runCli(["describe", "reviews", "-o", "json"], { cwd });
    expect(json<{ services: { callers: unknown }[] }>().services[0]?.callers).toEqual([
      {
        name: "shop/web-1",
        port: 80,
        subset: "v1",
        limits,
        breakers: [breaker],
        repeats: null,
        balancing: null,
        peers: null,
        health: null,
      },
    ]);
  });

  it("tells how its callers spread their calls", async () => {
    using folder = mesh();
    const cwd = folder.path;
    folder.write("mesh/resilience.yaml", SUBSETTING);
    const group = { name: "rank 0 (eu/eu-1)", share: 0.7, endpoints: 4, usable: 2 };
    const balancing = { notes: ["uses 2 of 4 endpoints"], groups: [group] };
    const cluster = { host: "reviews.shop.svc.cluster.local", port: 80, subset: "", balancing };
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/clusters": { clusters: [cluster] } });
    const { stdout } = await runCli(["describe", "reviews"], { cwd });
    expect(stdout).toContain("balanced by least request; each process uses 2 endpoints; connects within 10s");
    expect(stdout).toContain("shop/web-1 to port 80: rank 0 (eu/eu-1) 70%, 2 of 4 in use; uses 2 of 4 endpoints\n");
    const { json } = await runCli(["describe", "reviews", "-o", "json"], { cwd });
    expect(json<{ services: { callers: unknown[] }[] }>().services[0]?.callers[0]).toMatchObject({ balancing });
  });

  it("tells what its callers repeat, and what is left of it", async () => {
    using folder = mesh();
    const cwd = folder.path;
    folder.write("mesh/resilience.yaml", RESILIENCE);
    const stats = {
      retries: 31,
      hedges: 12,
      wrongPeers: 3,
      rejections: 1,
      noRetry: { retry_rate: 7, not_idempotent: 3 },
    };
    const name = "outbound|80||reviews.shop.svc.cluster.local";
    const cluster = { name, host: "reviews.shop.svc.cluster.local", port: 80, subset: "", stats, retriesLeft: 4.7 };
    await using _ = await FakeProcess.start(join(cwd, "mesh"), {}, { "/clusters": { clusters: [cluster] } });
    const { code, stdout, stderr } = await runCli(["describe", "reviews"], { cwd });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toContain(
      "shop/web-1 to port 80: 31 retries so far, 12 of them hedges; 4 left by rate, 7 kept back\n",
    );
    const met = "the wrong peer was met 3 times; its own certificate may have been refused once";
    expect(stdout).toContain(`callers    shop/web-1 to port 80: ${met}\n`);
    const { json } = await runCli(["describe", "reviews", "-o", "json"], { cwd });
    const repeats = { left: 4, made: 31, hedges: 12, keptBack: 7 };
    expect(json<{ services: { callers: unknown[] }[] }>().services[0]?.callers[0]).toMatchObject({ repeats });
  });

  it("tells that policy is switched off", async () => {
    using folder = mesh();
    folder.write("mesh/mode.yaml", MODE);
    const { stdout, code } = await runCli(["describe", "reviews"], { cwd: folder.path });
    expect([code, stdout]).toEqual([0, expect.stringContaining("mode       off: rules and policy")]);
  });

  it("tells of faults, mirrors and what the rule does besides", async () => {
    using folder = mesh();
    folder.write(
      "mesh/reviews.yaml",
      REVIEWS.replace(
        "      timeout: 3s\n",
        `      timeout: 3s
      fault: { abort: { httpStatus: 503, percentage: { value: 5 } }, delay: { fixedDelay: 2s, percentage: { value: 1 } } }
      rewrite: { uri: /x }
`,
      ),
    );
    const { stdout } = await runCli(["describe", "reviews"], { cwd: folder.path });
    expect(stdout).toContain("; 1% delayed by 2s; 5% aborted with 503; path or host rewritten\n");
  });

  it("tells which ports and subsets are called over TLS, whom they believe and who says so", async () => {
    using folder = mesh();
    folder.write(
      "mesh/reviews.yaml",
      REVIEWS.replace(
        /^ {2}subsets:\n(?: {4}.*\n)+/m,
        `  trafficPolicy: { tls: { mode: SIMPLE, subjectAltNames: [a.test, b.test], caCertificates: /ca.pem, caCrl: /crl.pem } }
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 }, trafficPolicy: { tls: { mode: ISTIO_MUTUAL } } }
`,
      ),
    );
    const { stdout } = await runCli(["describe", "reviews"], { cwd: folder.path });
    expect(stdout).toContain("connects within 10s; TLS SIMPLE\n");
    expect(stdout).toContain(
      `TLS of port 80, port 80 v1: SIMPLE, asking for the request's host; its certificate must be for "a.test" or "b.test", by /ca.pem, less what /crl.pem revokes (DestinationRule/shop/reviews spec.trafficPolicy.tls)\n`,
    );
    expect(stdout).toMatch(
      /TLS of port 80 v2: ISTIO_MUTUAL, showing the identity of the process, .*spec\.subsets\[1\]\.trafficPolicy\.tls\)/,
    );
    const { stdout: explained } = await runCli(["explain", "GET", "http://reviews.shop/"], { cwd: folder.path });
    expect(explained).toMatch(/^ +TLS SIMPLE, asking for the request's host; .*spec\.trafficPolicy\.tls\)$/m);
  });

  it("ends with 1 when something about it is wrong, and names it", async () => {
    using folder = mesh();
    folder.write("mesh/reviews.yaml", REVIEWS.replaceAll("subset: v2", "subset: v9"));
    const { code, stdout } = await runCli(["describe", "reviews"], { cwd: folder.path });
    expect([code, stdout]).toEqual([1, expect.stringMatching(/problems\n {4}IST0101 error reviews\.yaml:\d+/)]);
  });

  it("gives it as JSON, for each service of that name", async () => {
    using folder = mesh();
    folder.write("mesh/other.yaml", REVIEWS.replaceAll("shop", "other"));
    const { json } = await runCli(["describe", "reviews", "--json"], { cwd: folder.path });
    expect(json()).toMatchObject({
      services: [
        { service: { namespace: "other" }, destinationRule: "DestinationRule/other/reviews", mode: "on", problems: [] },
        { service: { namespace: "shop" }, subsets: [{ name: "v1", endpoints: 1 }, { name: "v2" }], hiddenFrom: [] },
      ],
    });
  });

  it("asks whether a similar name was meant", async () => {
    using folder = mesh();
    const { code, stderr } = await runCli(["describe", "reveiws"], { cwd: folder.path });
    expect([code, stderr]).toEqual([1, expect.stringContaining('Did you mean "reviews"?')]);
  });
});
