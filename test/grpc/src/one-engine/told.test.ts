/** What is told of calls of gRPC besides metrics and spans: access log, timing, and what policy would have done. */

import { Metadata, status } from "@grpc/grpc-js";
import type { Mesh } from "@inmesh/node";
import { afterEach, expect, it } from "vitest";
import { echoClient, echoServer, say as sayOf } from "../lib/echo.js";
import { planeOf } from "../lib/mesh-of.js";
import { until } from "../lib/until.js";
import { meshOfYaml, rules, serviceAt } from "../lib/yaml-mesh.js";
import { clientOf, ServedMesh, say } from "../server/served-mesh.js";
import { sums } from "./twin.js";

const HOST = "echo.shop";
const TO = `route: [{ destination: { host: ${HOST} } }]`;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

type Entry = Readonly<Record<string, unknown>>;

it("writes lines of calls at both ends, with gRPC's status and its words, and the story of attempts", async () => {
  const [called, served]: Entry[][] = [[], []];
  const warm = new Set<Entry[]>();
  const into = (entries: Entry[]) => (entry: object) => {
    warm.add(entries);
    const { path } = entry as Entry;
    if (path === "/shop.Echo/Say") entries.push({ ...entry });
  };
  await using member = await ServedMesh.start("", { accessLog: into(served!) });
  const retries = `[{ name: again, ${TO}, retries: { attempts: 1, retryOn: unavailable, backoff: 1ms } }]`;
  const mesh = await meshOfYaml([serviceAt(HOST, [member.port]), rules(HOST, retries)], closing, {
    accessLog: into(called!),
  });
  const client = clientOf(0, mesh.grpc.credentials(), mesh.grpc.options(), `${HOST}:50051`);
  closing.push(() => client.close());
  // What writes them is loaded with the first call.
  await until(async () => {
    await say(client, { method: "Delete" });
    return warm.has(called!) && warm.has(served!);
  });
  member.log.onSay = () => Promise.reject(Object.assign(new Error("no paint"), { code: status.UNAVAILABLE }));
  expect((await say(client)).code).toBe(status.UNAVAILABLE);
  member.log.onSay = () => Promise.reject(Object.assign(new Error("no such"), { code: status.NOT_FOUND }));
  expect((await say(client)).code).toBe(status.NOT_FOUND);
  await until(() => called!.length === 2 && served!.length === 3);
  const common = { method: "POST", path: "/shop.Echo/Say", response_code: 200 };
  const unavailable = { grpc_status: 14, grpc_message: "no paint" };
  expect(called).toMatchObject([
    { ...common, ...unavailable, response_flags: "URX", route_name: "again", attempts: 2 },
    { ...common, grpc_status: 5, grpc_message: "no such", attempts: 1 },
  ]);
  const results = (called![0]!["attempt_log"] as Entry[]).map(({ result }) => result);
  expect(results).toEqual(["grpc 14", "grpc 14"]);
  expect(served).toMatchObject([unavailable, unavailable, { grpc_status: 5 }].map((each) => ({ ...common, ...each })));
});

it("counts a call whose caller gave it up as cancelled at its server, too", async () => {
  await using member = await ServedMesh.start("");
  const call = member.client().Slow(Buffer.alloc(0), new Metadata(), {}, () => {});
  call.on("error", () => {});
  await until(() => member.log.calls.length === 1);
  call.cancel();
  const labels = ["request_protocol", "response_code", "grpc_response_status", "response_flags"];
  await until(async () => Object.keys(await sums([member.mesh], "istio_requests_total", labels)).length > 0);
  expect(await sums([member.mesh], "istio_requests_total", labels)).toEqual({ "grpc 0 1 DC": 1 });
});

it("says in a trailer where the time of a call went, where that is asked for", async () => {
  const server = await echoServer("a", closing);
  const delay = `[{ ${TO}, fault: { delay: { percentage: { value: 100 }, fixedDelay: 30ms } } }]`;
  const documents = [serviceAt(HOST, [server.port]), rules(HOST, delay)];
  const trailer = async (mesh: Mesh) => {
    const client = echoClient(`${HOST}:50051`, mesh.grpc.credentials(), mesh.grpc.options(), closing);
    return (await sayOf(client, "x")).status.metadata.get("x-inmesh-timing");
  };
  const [line, ...others] = await trailer(await meshOfYaml(documents, closing, { timing: true }));
  expect(line).toMatch(/fault;dur=.*wait;dur=.*total;dur=/);
  // Timers of Node count whole milliseconds, from when the turn of the event loop began: they may come some early.
  expect(Number(/fault;dur=([\d.]+)/.exec(String(line))?.[1])).toBeGreaterThan(20);
  expect(others).toEqual([]);
  expect(await trailer(await meshOfYaml(documents, closing))).toEqual([]);
});

it("only observes where MeshMode says so: calls go as without policy, and what it would have done is counted", async () => {
  const server = await echoServer("a", closing);
  const abort = `[{ name: broken, ${TO}, fault: { abort: { percentage: { value: 100 }, httpStatus: 503 } } }]`;
  const observe = `apiVersion: inmesh.dev/v1alpha1
kind: MeshMode
metadata: { name: all, namespace: istio-system }
spec: { mode: observe }`;
  const mesh = await meshOfYaml([serviceAt(HOST, [server.port]), rules(HOST, abort), observe], closing);
  const client = echoClient(`${HOST}:50051`, mesh.grpc.credentials(), mesh.grpc.options(), closing);
  for (let index = 0; index < 3; index++) expect((await sayOf(client, "x")).text).toBe("a: x");
  const would = planeOf(mesh).engine.rehearsal.read();
  expect(would).toMatchObject([{ host: HOST, calls: 3, aborted: 3 }]);
});
