/** A real Jaeger is told of one request by six services, which call each other over HTTP and gRPC, and shows one trace. */

import { request } from "node:http";
import { afterAll, describe, expect, it } from "vitest";
import { MESH, Programs, until } from "../tracing/run.js";
import { findJaeger } from "./find-jaeger.js";
import { Jaeger, type JaegerSpan } from "./jaeger.js";

const binary = findJaeger("a trace over six services in Jaeger");
const programs = new Programs();
afterAll(() => programs.close());

/** Who calls whom; those of `SPEAK_GRPC` over gRPC. */
const SHOP: Readonly<Record<string, readonly string[]>> = {
  gateway: ["cart", "reviews"],
  cart: [],
  reviews: ["ratings"],
  ratings: ["stars"],
  stars: ["prices"],
  prices: [],
};
const SPEAK_GRPC: readonly string[] = ["stars"];
const nameFor = (callee: string): string => (SPEAK_GRPC.includes(callee) ? `grpc:${callee}` : callee);
const SERVICES = Object.keys(SHOP);
const CALLS = Object.values(SHOP).flat().length;

describe.skipIf(binary === undefined)("Jaeger", () => {
  it("shows a request as one trace: a span at each end of each call, under the right parents", async () => {
    await using jaeger = await Jaeger.start(binary ?? "");
    const env = {
      ...{ OTEL_EXPORTER_OTLP_ENDPOINT: jaeger.otlpUrl, INMESH_TRACING_SAMPLING: "100" },
      OTEL_BSP_SCHEDULE_DELAY: "100",
    };
    const started = SERVICES.map((service) =>
      programs.run([...MESH, "shop.mjs"], service, {
        ...{ ...env, CALLS: (SHOP[service] ?? []).map(nameFor).join(",") },
        SPEAKS: SPEAK_GRPC.includes(service) ? "grpc" : "http",
      }),
    );
    const said = (): string => started.map(({ out, errors }) => out() + errors()).join("");
    const [gateway] = started;
    const port = (): string | undefined => /^listening (\d+)$/m.exec(gateway?.out() ?? "")?.[1];
    await until(
      () => port() !== undefined,
      () => `the gateway: ${said()}`,
    );
    for (const service of SERVICES) await programs.registered(service);
    await programs.knowEachOther(SERVICES);

    expect(await ask(port() ?? ""), said()).toBe(String(SERVICES.length));
    let traces: readonly string[] = [];
    const deadline = Date.now() + 15_000;
    while (traces.length === 0 && Date.now() < deadline) traces = await jaeger.tracesOf("gateway");
    expect(traces).toHaveLength(1);
    const spans = await jaeger.trace(traces[0] ?? "", SERVICES.length + CALLS);
    expect(started.map(({ errors }) => errors()).join("")).toBe("");

    const shown = spans.map(({ service, kind }) => `${service} ${kind}`).sort();
    const wanted = [
      ...SERVICES.map((service) => `${service} server`),
      ...Object.entries(SHOP).flatMap(([service, callees]) => callees.map(() => `${service} client`)),
    ];
    expect(shown).toEqual(wanted.sort());
    expect(edges(spans)).toEqual(
      Object.entries(SHOP)
        .flatMap(([service, callees]) => callees.map((callee) => `${service} > ${callee}`))
        .sort(),
    );
    const [first] = spans.filter(({ parent }) => parent === "");
    expect(first).toMatchObject({ service: "gateway", kind: "server", name: "GET" });
    const callOf = (caller: string) => spans.find(({ service, kind }) => service === caller && kind === "client");
    expect(callOf("reviews")?.tags).toMatchObject({ "http.response.status_code": 200, "server.address": "ratings" });
    expect(callOf("stars")?.tags).toMatchObject({ "http.response.status_code": 200, "server.address": "prices" });
    for (const end of [
      callOf("ratings"),
      spans.find(({ service, kind }) => service === "stars" && kind === "server"),
    ]) {
      expect(end?.name).toBe("shop.Shop/Part");
      expect(end?.tags).toMatchObject({ "rpc.system.name": "grpc", "rpc.status_code": "OK" });
    }
  });
});

/** Client spans by the services at their two ends; each is a child of its service's request, and has one child. */
function edges(spans: readonly JaegerSpan[]): readonly string[] {
  const byId = new Map(spans.map((span) => [span.id, span]));
  return spans
    .filter(({ kind }) => kind === "client")
    .map(({ id, service, parent }) => {
      const above = byId.get(parent);
      expect([above?.service, above?.kind]).toEqual([service, "server"]);
      const below = spans.filter((span) => span.parent === id);
      expect(below.map(({ kind }) => kind)).toEqual(["server"]);
      return `${service} > ${below[0]?.service}`;
    })
    .sort();
}

function ask(port: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", path: "/", agent: false }, async (response) => {
      let body = "";
      for await (const chunk of response) body += chunk;
      resolve(body);
    });
    sent.once("error", reject).end();
  });
}
