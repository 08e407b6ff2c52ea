/** Beside OpenTelemetry, loaded before the mesh or after it: what a service called in a trace sends on. */

import { describe, expect, it } from "vitest";
import { called, IMPORT } from "./run.js";

const OTEL = ["--import", "./fixtures/tracing/otel.mjs"];
const APP = "fixtures/tracing/app.mjs";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const CALLER = "b7ad6b7169203331";
const INBOUND = `00-${TRACE}-${CALLER}-01`;

const CLIENTS = ["fetch", "http", "post", "hand"] as const;
type Client = (typeof CLIENTS)[number];
type Lines = Readonly<Record<string, readonly string[]>>;
interface Found extends Record<Client, Lines> {
  readonly spans: readonly { readonly traceId: string; readonly spanId: string; readonly parent?: string }[];
}

const orders: [string, string[]][] = [
  ["before us", [...OTEL, ...IMPORT]],
  ["after us", [...IMPORT, ...OTEL]],
];

describe.concurrent.each(orders)("OpenTelemetry loaded %s", (_, flags) => {
  it("writes the one traceparent of a call: its own span in the inbound trace", async () => {
    const found = (await called([...flags, APP])) as Found;
    const server = found.spans.find(({ parent }) => parent === CALLER);
    expect(server, JSON.stringify(found)).toBeDefined();
    const children = found.spans.filter(({ parent }) => parent === server?.spanId).map(({ spanId }) => spanId);
    for (const client of CLIENTS) {
      const { traceparent = [], tracestate, baggage } = found[client];
      expect(traceparent, client).toHaveLength(1);
      const [, trace, span] = traceparent[0]?.split("-") ?? [];
      expect([trace, children.includes(span ?? "")], client).toEqual([TRACE, true]);
      // Its list of the inbound request beside the caller's own.
      expect([tracestate, baggage]).toEqual([["vendor=1"], client === "hand" ? ["mine=1,user=7"] : ["user=7"]]);
    }
  });

  it("goes on in the inbound trace when it has not seen the inbound request", async () => {
    const found = (await called([...flags, APP], { env: { OTEL_CASE: "blind" } })) as Found;
    expect(found.fetch).toMatchObject({ tracestate: ["vendor=1"], baggage: ["user=7"] });
    for (const client of CLIENTS) {
      const { traceparent = [] } = found[client];
      expect(traceparent, client).toHaveLength(1);
      expect(traceparent[0]?.split("-")[1], client).toBe(TRACE);
    }
  });
});

it("without OpenTelemetry the inbound trace goes on as it came", async () => {
  const forwarded = { traceparent: [INBOUND], tracestate: ["vendor=1"], baggage: ["user=7"] };
  const hand = { ...forwarded, baggage: ["mine=1"] };
  const expected = { fetch: forwarded, http: forwarded, post: forwarded, hand };
  expect(await called([...IMPORT, APP])).toEqual(expected);
});
