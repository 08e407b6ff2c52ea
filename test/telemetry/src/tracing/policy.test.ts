/** What Telemetry resources ask of tracing, end to end: requests over sockets, spans at an OTLP backend. */

import { expect, it } from "vitest";
import type { SinkSpan } from "./otlp-sink.js";
import { CALLER, CLIENT, openWeb, SAMPLED, SERVER, TRACE, UNSAMPLED } from "./traced-web.js";

const telemetry = (tracing: string): string => `apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: { name: web, namespace: default }
spec: { selector: { matchLabels: { app: web } }, tracing: ${tracing} }
`;

const LAST_DIGITS = -8;
const share = (traceId: string): number => Number.parseInt(traceId.slice(LAST_DIGITS), 16) / 2 ** 32;
const path = ({ attributes }: SinkSpan): unknown => attributes["url.path"] ?? attributes["url.full"];
const of = (spans: readonly SinkSpan[], kind: number): readonly SinkSpan[] =>
  spans.filter((span) => span.kind === kind);

it("records the share of traces that randomSamplingPercentage asks for, and says so on the wire", async () => {
  const traced = await openWeb(telemetry("[{ randomSamplingPercentage: 25 }]"));
  const begun: { readonly id: string; readonly sampled: boolean }[] = [];
  for (let call = 0; call < 100; call++) {
    const leaf = await traced.ask();
    const [, id = "", , flags] = leaf["traceparent"]?.[0]?.split("-") ?? [];
    begun.push({ id, sampled: flags === "01" });
  }
  const spans = await traced.finish();
  const sampled = begun.filter((trace) => trace.sampled);
  expect(sampled.length).toBeGreaterThan(0); // none: once in 3e12 runs
  for (const trace of begun) expect(trace.sampled, trace.id).toBe(share(trace.id) < 0.25);
  // Three spans of each: two requests and the call between them; and none of the others.
  const counted = new Map<string, number>();
  for (const { traceId } of spans) counted.set(traceId, (counted.get(traceId) ?? 0) + 1);
  expect(counted).toEqual(new Map(sampled.map(({ id }) => [id, 3])));
});

it.each([
  ["is recorded at 0 %, where its caller said so", 0, SAMPLED, 3],
  ["is not recorded at 100 %, where its caller said so", 100, UNSAMPLED, 0],
])("a trace that began elsewhere %s", async (_, percent, traceparent, recorded) => {
  const traced = await openWeb(telemetry(`[{ randomSamplingPercentage: ${percent} }]`));
  const leaf = await traced.ask({ traceparent });
  const spans = await traced.finish();
  expect(spans.filter(({ traceId }) => traceId === TRACE)).toHaveLength(recorded);
  expect(leaf["traceparent"]?.[0]).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-${traceparent.slice(-2)}$`));
});

it("disableSpanReporting leaves the trace whole, for one side or for both", async () => {
  const server = await openWeb(telemetry("[{ match: { mode: SERVER }, disableSpanReporting: true }]"));
  await server.ask({ traceparent: SAMPLED });
  const calls = await server.finish();
  expect(calls.map(({ kind, traceId, parent }) => [kind, traceId, parent])).toEqual([[CLIENT, TRACE, CALLER]]);

  const client = await openWeb(telemetry("[{ match: { mode: CLIENT }, disableSpanReporting: true }]"));
  const leaf = await client.ask({ traceparent: SAMPLED });
  const requests = await client.finish();
  expect(requests.map(({ kind }) => kind)).toEqual([SERVER, SERVER]);
  // The request's own span is what the leaf's hangs on: no span that nobody records stands between.
  const outer = requests.find((span) => path(span) === "/ask");
  const inner = requests.find((span) => path(span) === "/leaf");
  expect([outer?.parent, inner?.parent]).toEqual([CALLER, outer?.spanId]);
  expect(leaf["traceparent"]).toEqual([`00-${TRACE}-${outer?.spanId}-01`]);

  const both = await openWeb(telemetry("[{ disableSpanReporting: true }]"));
  const silent = await both.ask({ traceparent: SAMPLED, tracestate: "vendor=1" });
  expect(await both.finish()).toEqual([]);
  expect([silent["traceparent"], silent["tracestate"]]).toEqual([[SAMPLED], ["vendor=1"]]);
});

it("writes customTags: literal, environment, header, formatter, for the side they are for", async () => {
  const tags = `{ of: { literal: { value: shop } }, region: { environment: { name: TAG_REGION, defaultValue: none } },
    zone: { environment: { name: TAG_NO_ZONE, defaultValue: z0 } }, user: { header: { name: X-User, defaultValue: nobody } },
    path: { formatter: { value: "%REQ(:METHOD)% %REQ(:PATH)%" } } }`;
  const traced = await openWeb(telemetry(`[{ match: { mode: SERVER }, customTags: ${tags} }]`), { TAG_REGION: "eu" });
  await traced.ask({ traceparent: SAMPLED, "x-user": "ann" });
  const spans = await traced.finish();
  const [asked] = spans.filter((span) => path(span) === "/ask");
  expect(asked?.attributes).toMatchObject({ of: "shop", region: "eu", zone: "z0", user: "ann", path: "GET /ask" });
  const [leaf] = spans.filter((span) => path(span) === "/leaf");
  expect(leaf?.attributes).toMatchObject({ of: "shop", user: "nobody", path: "GET /leaf" });
  const [call] = of(spans, CLIENT);
  expect(call).toBeDefined();
  expect(call?.attributes).not.toHaveProperty("of");
});

it("enableIstioTags: false leaves out Istio's, disableContextPropagation writes no headers", async () => {
  const traced = await openWeb(
    telemetry("[{ enableIstioTags: false }, { match: { mode: CLIENT }, disableContextPropagation: true }]"),
  );
  const leaf = await traced.ask({ traceparent: SAMPLED });
  const spans = await traced.finish();
  const own = spans.filter(({ traceId }) => traceId === TRACE);
  expect(of(own, CLIENT)).toHaveLength(1);
  for (const { attributes } of own) expect(attributes).not.toHaveProperty("istio.namespace");
  expect(leaf["traceparent"]).toBeUndefined();
});

it("links the span of a copy to that of the call which was mirrored", async () => {
  const traced = await openWeb(`apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: default }
spec: { hosts: [web], http: [{ route: [{ destination: { host: web } }], mirror: { host: web } }] }
`);
  await traced.ask({ traceparent: SAMPLED });
  const calls = of(await traced.finish(), CLIENT);
  const [call] = calls.filter(({ name }) => name === "GET");
  const copies = calls.filter(({ name }) => name === "GET mirror");
  expect(copies.map(({ links }) => links)).toEqual([[{ traceId: TRACE, spanId: call?.spanId }]]);
  expect(call?.links).toEqual([]);
});

it("links the span of a call that the application makes once more to that of the one which failed", async () => {
  const traced = await openWeb("");
  await traced.ask({ traceparent: SAMPLED }, "/twice");
  const calls = of(await traced.finish(), CLIENT).filter((span) => String(path(span)).endsWith("/broken"));
  expect(calls).toHaveLength(2);
  const first = calls.find(({ links }) => links.length === 0);
  const second = calls.find(({ links }) => links.length > 0);
  expect(second?.links).toEqual([{ traceId: TRACE, spanId: first?.spanId }]);
});
