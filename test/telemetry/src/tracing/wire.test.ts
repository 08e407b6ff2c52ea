/** What of a trace is on the wire of a call: formats, and what W3C's Trace Context says of lists and flags. */

import { describe, expect, it } from "vitest";
import { CALLER, CLIENT, openWeb, SAMPLED, TRACE } from "./traced-web.js";

describe.each([
  ["with the mesh's SDK", {}],
  ["without an SDK", { OTEL_SDK_DISABLED: "true" }],
])("W3C Trace Context, %s", (_, env) => {
  it("passes on lists that keep the rules, and no others", async () => {
    const web = await openWeb("", env);
    const state = async (tracestate: string, traceparent = SAMPLED) =>
      (await web.ask({ tracestate, ...(traceparent !== "" && { traceparent }) }))["tracestate"];
    expect(await state("foo@@bar=1,bar=2")).toEqual(["foo@@bar=1,bar=2"]);
    expect(await state("foo=1, foo=2 ,bar=3")).toEqual(["foo=1,bar=3"]);
    expect(await state("FOO=1,bar=2")).toBeUndefined();
    const later = await web.ask({ traceparent: `cc-${TRACE}-${CALLER}-01-more`, tracestate: "a=1" });
    expect(later["traceparent"]?.[0]).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`));
    expect(later["tracestate"]).toEqual(["a=1"]);
    await web.finish();
  });
});

it("a list without a trace describes none, and the flag of random ids goes on", async () => {
  const web = await openWeb("", { INMESH_TRACING_SAMPLING: "100" });
  const begun = await web.ask({ tracestate: "foo=1" });
  expect(begun["traceparent"]?.[0]).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
  expect(begun["tracestate"]).toBeUndefined();
  const random = await web.ask({ traceparent: `00-${TRACE}-${CALLER}-03` });
  expect(random["traceparent"]?.[0]).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-03$`));
  await web.finish();
});

it.each([
  ["b3", { b3: `${TRACE}-${CALLER}-1` }, ["b3"]],
  [
    "b3multi",
    { "x-b3-traceid": TRACE, "x-b3-spanid": CALLER, "x-b3-sampled": "1" },
    ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled"],
  ],
  ["jaeger", { "uber-trace-id": `${TRACE}:${CALLER}:0:1` }, ["uber-trace-id"]],
] as const)("OTEL_PROPAGATORS=%s is read, recorded and written", async (format, headers, names) => {
  const web = await openWeb("", { OTEL_PROPAGATORS: format });
  const leaf = await web.ask(headers);
  const spans = (await web.finish()).filter(({ traceId }) => traceId === TRACE);
  expect(spans).toHaveLength(3);
  const [call] = spans.filter(({ kind }) => kind === CLIENT);
  expect(spans.find(({ parent }) => parent === CALLER)?.spanId).toBe(call?.parent);
  const written = names.map((name) => leaf[name]?.join("|")).join(" ");
  expect(written).toContain(TRACE);
  expect(written).toContain(call?.spanId);
  expect(written).not.toContain(CALLER);
  expect(leaf["traceparent"]).toBeUndefined();
});
