/** Policy holds for gRPC as it does for HTTP: the engine carries it out, whoever calls. */

import { once } from "node:events";
import { type InterceptingCall as Intercepted, InterceptingCall, Metadata, status } from "@grpc/grpc-js";
import { afterEach, expect, it } from "vitest";
import { type EchoServer, echoClient, echoServer, say } from "../lib/echo.js";
import { until } from "../lib/until.js";
import { destination, meshOfYaml, rules, serviceAt } from "../lib/yaml-mesh.js";
import { sums } from "../one-engine/twin.js";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const HOST = "echo.shop";
const TO = `route: [{ destination: { host: ${HOST} } }]`;

async function setUp(names: readonly string[], ...policy: string[]) {
  const servers = await Promise.all(names.map((name) => echoServer(name, closing)));
  const ports = servers.map(({ port }) => port);
  const mesh = await meshOfYaml([serviceAt(HOST, ports), ...policy], closing);
  const client = echoClient(`${HOST}:50051`, mesh.grpc.credentials(), mesh.grpc.options(), closing);
  return { servers, mesh, client };
}

function failing(server: EchoServer, code: number, details: string, trailer?: Record<string, string>): void {
  server.say = (_, callback) => {
    const metadata = new Metadata();
    for (const [name, value] of Object.entries(trailer ?? {})) metadata.set(name, value);
    callback({ code, details, metadata });
  };
}

it("tries again elsewhere what a server answers UNAVAILABLE, and tells it how often", async () => {
  const { servers, client } = await setUp(
    ["a", "b"],
    rules(HOST, `[{ ${TO}, retries: { attempts: 2, retryOn: unavailable } }]`),
  );
  failing(servers[0]!, status.UNAVAILABLE, "not now");
  // Each is drawn: that none of so many goes to the first one happens once in four thousand million times.
  for (let index = 0; index < 32; index++) expect((await say(client, "x")).text).toBe("b: x");
  expect(servers[0]!.calls.length).toBeGreaterThan(0);
  const again = servers[1]!.calls.filter((metadata) => metadata.get("grpc-previous-rpc-attempts").length > 0);
  expect(again.length).toBe(servers[0]!.calls.length);
  expect(again[0]!.get("grpc-previous-rpc-attempts")).toEqual(["1"]);
});

it("does not try again what the rule does not name", async () => {
  const { servers, client } = await setUp(
    ["a"],
    rules(HOST, `[{ ${TO}, retries: { attempts: 2, retryOn: cancelled } }]`),
  );
  failing(servers[0]!, status.UNAVAILABLE, "not now", { reason: "paint" });
  const { status: got } = await say(client, "x");
  expect([got.code, got.details, got.metadata.get("reason")]).toEqual([status.UNAVAILABLE, "not now", ["paint"]]);
  expect(servers[0]!.calls.length).toBe(1);
});

it("waits as long as a server asks for, and does not try again where it asks for that", async () => {
  const { servers, client } = await setUp(
    ["a"],
    rules(HOST, `[{ ${TO}, retries: { attempts: 3, retryOn: unavailable } }]`),
  );
  const [server] = servers;
  failing(server!, status.UNAVAILABLE, "no more", { "grpc-retry-pushback-ms": "-1" });
  expect((await say(client, "x")).status.code).toBe(status.UNAVAILABLE);
  expect(server!.calls.length).toBe(1);
  const times: number[] = [];
  server!.say = ({ request }, callback) => {
    times.push(performance.now());
    const metadata = new Metadata();
    metadata.set("grpc-retry-pushback-ms", "300");
    if (times.length === 1) callback({ code: status.UNAVAILABLE, details: "later", metadata });
    else callback(null, request);
  };
  expect((await say(client, "x")).text).toBe("x");
  expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(250); // timers may be some ms early; without being asked it waits for 25 ms at most
});

it("goes elsewhere when nobody listens, whatever the rule", async () => {
  const { servers, client } = await setUp(["a", "b"]);
  servers[0]!.kill();
  for (let index = 0; index < 6; index++) expect((await say(client, "x")).text).toBe("b: x");
});

it("tells why there is no answer when nobody listens at all", async () => {
  const { servers, client } = await setUp(["a"]);
  servers[0]!.kill();
  const { status: got } = await say(client, "x");
  expect(got.code).toBe(status.UNAVAILABLE);
  expect(got.details).toMatch(/ECONNREFUSED.*\(CONNECT_FAILED\)/);
});

it("keeps the caller's deadline, tells the server of it, and counts none of it against the endpoint", async () => {
  const { servers, client } = await setUp(["a"]);
  await say(client, "first"); // a deadline that a connection used up would reach nobody
  servers[0]!.say = () => {};
  const { status: got } = await say(client, "x", undefined, { deadline: Date.now() + 300 });
  expect(got.code).toBe(status.DEADLINE_EXCEEDED);
  expect(got.details).toMatch(/deadline that its caller gave it/);
  const [left] = servers[0]!.calls[1]!.get("x-inmesh-timeout-ms");
  expect(Number(left)).toBeGreaterThan(100);
  expect(Number(left)).toBeLessThanOrEqual(300);
});

it("gives up an attempt by perTryTimeout, and the whole by timeout", async () => {
  const { servers, client } = await setUp(
    ["a"],
    rules(HOST, `[{ ${TO}, timeout: 400ms, retries: { attempts: 3, perTryTimeout: 100ms, retryOn: reset } }]`),
  );
  await say(client, "first"); // an attempt that waits for its connection would reach nobody in its time
  let cancelled = 1;
  servers[0]!.say = (call) => void call.on("cancelled", () => cancelled++);
  const metadata = new Metadata({ idempotentRequest: true });
  const { status: got } = await say(client, "x", metadata);
  expect(got.code).toBe(status.DEADLINE_EXCEEDED);
  expect(servers[0]!.calls.length).toBeGreaterThanOrEqual(3); // the first among them
  await until(() => cancelled === servers[0]!.calls.length);
});

it("cancels at the server what its caller cancels, and counts it as gRPC's", async () => {
  const { servers, mesh, client } = await setUp(["a"]);
  const cancelled = new Promise<void>((resolve) => {
    servers[0]!.say = (call) => void call.on("cancelled", () => resolve());
  });
  const call = client["say"]!("x", () => {});
  await until(() => servers[0]!.calls.length === 1);
  call.cancel();
  const [got] = await once(call, "status");
  expect([got.code, got.details]).toEqual([status.CANCELLED, "Cancelled on client"]);
  await cancelled;
  const labels = ["request_protocol", "response_code", "grpc_response_status", "response_flags"];
  expect(await sums([mesh], "istio_requests_total", labels)).toEqual({ "grpc 0 1 DC": 1 });
});

it.each([
  ["{ percentage: { value: 100 }, grpcStatus: RESOURCE_EXHAUSTED }", status.RESOURCE_EXHAUSTED],
  ["{ percentage: { value: 100 }, httpStatus: 403 }", status.PERMISSION_DENIED],
])("injects %s", async (abort, code) => {
  const { servers, client } = await setUp(["a"], rules(HOST, `[{ fault: { abort: ${abort} }, ${TO} }]`));
  const { status: got } = await say(client, "x");
  expect(got.code).toBe(code);
  expect(got.details).toMatch(/on purpose/);
  expect(servers[0]!.calls).toEqual([]);
});

it("fails by a rule that answers in HTTP", async () => {
  const { client } = await setUp(["a"], rules(HOST, "[{ directResponse: { status: 418 } }]"));
  const { status: got } = await say(client, "x");
  expect([got.code, got.details]).toEqual([status.UNAVAILABLE, expect.stringMatching(/HTTP status 418/)]);
});

it("routes by method and by metadata, and edits both ways", async () => {
  const { client } = await setUp(
    ["a", "b"],
    destination(HOST, `subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]`),
    rules(
      HOST,
      `[{ match: [{ uri: { exact: /shop.Echo/Say }, headers: { user: { exact: ann } } }], route: [{ destination: { host: ${HOST}, subset: v2 }, headers: { response: { set: { seen: "yes" } } } }] },
        { route: [{ destination: { host: ${HOST}, subset: v1 } }] }]`,
    ),
  );
  const ann = new Metadata();
  ann.set("user", "ann");
  for (let index = 0; index < 3; index++) {
    const answer = await say(client, "x", ann);
    expect([answer.text, answer.head?.get("seen")]).toEqual(["b: x", ["yes"]]);
    expect((await say(client, "x")).text).toBe("a: x");
  }
});

it("routes by a GRPCRoute", async () => {
  const other = await echoServer("b", closing);
  const { client } = await setUp(
    ["a"],
    serviceAt("other.shop", [other.port]),
    `apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: { name: echo, namespace: default }
spec:
  parentRefs: [{ group: networking.istio.io, kind: ServiceEntry, name: echo-shop }]
  rules:
  - matches: [{ method: { service: shop.Echo, method: Say }, headers: [{ name: user, value: ann }] }]
    backendRefs: [{ group: networking.istio.io, kind: Hostname, name: other.shop, port: 50051 }]
  - backendRefs: [{ group: networking.istio.io, kind: Hostname, name: ${HOST}, port: 50051 }]`,
  );
  const ann = new Metadata();
  ann.set("user", "ann");
  expect((await say(client, "x", ann)).text).toBe("b: x");
  expect((await say(client, "x")).text).toBe("a: x");
});

it("mirrors a call, whose answer nobody gets", async () => {
  const copies = await echoServer("copy", closing);
  const { servers, client } = await setUp(
    ["a"],
    serviceAt("copy.shop", [copies.port]),
    rules(HOST, `[{ ${TO}, mirrors: [{ destination: { host: copy.shop } }] }]`),
  );
  expect((await say(client, "once")).text).toBe("a: once");
  await until(() => copies.calls.length === 1);
  expect(servers[0]!.calls.length).toBe(1);
});

it("sends a hedge to another endpoint where the caller says that it may be repeated", async () => {
  const { servers, client } = await setUp(
    ["a", "b"],
    `apiVersion: inmesh.dev/v1alpha1
kind: Resilience
metadata: { name: echo, namespace: default }
spec: { host: ${HOST}, hedging: { attempts: 2, delay: 50ms } }`,
  );
  servers[0]!.say = () => {};
  const metadata = new Metadata({ idempotentRequest: true });
  for (let index = 0; index < 4; index++) expect((await say(client, "x", metadata)).text).toBe("b: x");
});

it("waits for an endpoint where the caller says so", async () => {
  const { servers, client } = await setUp(["a"]);
  const { port } = servers[0]!;
  servers[0]!.kill();
  const answer = say(client, "x", new Metadata({ waitForReady: true }), { deadline: Date.now() + 20_000 });
  await say(client, "y"); // fails, and so has an attempt of the first
  await echoServer("back", closing, port);
  expect((await answer).text).toBe("back: x");
});

it("judges endpoints by what gRPC says behind its messages", async () => {
  const { servers, client } = await setUp(
    ["a", "b"],
    destination(
      HOST,
      "trafficPolicy: { outlierDetection: { consecutive5xxErrors: 3, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100 } }",
    ),
  );
  servers[0]!.say = (call, callback) => {
    call.sendMetadata(new Metadata()); // so that its status is no head
    callback({ code: status.INTERNAL, details: "broken" });
  };
  for (let index = 0; index < 20; index++) await say(client, "x");
  expect(servers[0]!.calls.length).toBe(3);
});

it("leaves interceptors of the application above itself", async () => {
  const { servers, mesh } = await setUp(["a"]);
  const client = echoClient(
    `${HOST}:50051`,
    mesh.grpc.credentials(),
    {
      ...mesh.grpc.options(),
      interceptors: [
        (options, next): Intercepted =>
          new InterceptingCall(next(options), {
            start: (metadata, listener, go) => {
              metadata.set("by", "interceptor");
              go(metadata, listener);
            },
          }),
      ],
    },
    closing,
  );
  await say(client, "x");
  expect(servers[0]!.calls[0]!.get("by")).toEqual(["interceptor"]);
});

it("passes on what the mesh does not know", async () => {
  const { servers, mesh } = await setUp(["a"]);
  const target = `127.0.0.1:${servers[0]!.port}`;
  const client = echoClient(target, mesh.grpc.credentials(), mesh.grpc.options(), closing);
  expect((await say(client, "x")).text).toBe("a: x");
  expect(client.getChannel().getTarget()).toBe(`dns:${target}`);
});

it.each(["inmesh:echo.shop:50051", "xds:///echo.shop:50051", "dns:///echo.shop:50051"])("calls %s", async (target) => {
  const { mesh } = await setUp(["a"]);
  const client = echoClient(target, mesh.grpc.credentials(), mesh.grpc.options(), closing);
  expect((await say(client, "x")).text).toBe("a: x");
});

it("says so when only the mesh could know a host, and does not", async () => {
  const { mesh } = await setUp(["a"]);
  const client = echoClient("xds:///nobody:80", mesh.grpc.credentials(), mesh.grpc.options(), closing);
  const { status: got } = await say(client, "x");
  expect([got.code, got.details]).toEqual([
    status.UNAVAILABLE,
    expect.stringMatching(/"nobody" port 80 is not in the registry/),
  ]);
});

it("says what is missing where a client for a name of the mesh was made without it", async () => {
  const { mesh } = await setUp(["a"]);
  const client = echoClient("inmesh:echo.shop:50051", mesh.grpc.credentials(), {}, closing);
  const { status: got } = await say(client, "x");
  expect([got.code, got.details]).toEqual([status.UNAVAILABLE, expect.stringMatching(/give it mesh.grpc.options\(\)/)]);
});

it("has one state for HTTP and gRPC: a breaker that HTTP opened is open", async () => {
  const { servers, mesh, client } = await setUp(
    ["a"],
    `apiVersion: inmesh.dev/v1alpha1
kind: CircuitBreaker
metadata: { name: echo, namespace: default }
spec: { host: ${HOST}, minRequests: 3, failurePercent: 50, window: 10s, openFor: 60s }`,
  );
  expect((await say(client, "x")).text).toBe("a: x");
  servers[0]!.kill();
  for (let index = 0; index < 6; index++) await mesh.fetch(`http://${HOST}:50051/health`).then((each) => each.text());
  const { status: got } = await say(client, "x");
  expect([got.code, got.details]).toEqual([status.UNAVAILABLE, expect.stringMatching(/\(BREAKER_OPEN\)/)]);
});
