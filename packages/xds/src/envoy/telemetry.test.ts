import { describe, expect, it } from "vitest";
import { type DiscoveredListener, listenerType, readListener } from "./listener.js";
import { RECORDINGS_MISSING, recorded } from "./recorded.test.helper.js";
import { telemetryPolicy } from "./telemetry.js";
import { LISTENER } from "./urls.js";
import { bytesOf, manager } from "./written.test.helper.js";

const FILE = "envoy.extensions.access_loggers.file.v3.FileAccessLog";

function listener(direction: "INBOUND" | "OUTBOUND", says: object): DiscoveredListener {
  const rds = { config_source: { ads: {} }, route_config_name: "80" };
  const table = direction === "INBOUND" ? { route_config: {} } : { rds };
  const bytes = bytesOf(LISTENER, {
    name: direction,
    address: { socket_address: { address: "0.0.0.0", port_value: 80 } },
    traffic_direction: direction,
    filter_chains: [{ filters: [{ name: "http", typed_config: manager({ ...table, ...says }) }] }],
  });
  return readListener(bytes, "envoy");
}

const file = (more: object) => ({ name: "file", typed_config: { "@type": FILE, path: "/dev/stdout", ...more } });

describe("what listeners say of telemetry", () => {
  it("is for calls or for requests that are served, and nothing where they say nothing", () => {
    const tracing = { random_sampling: { value: 50 }, overall_sampling: { value: 50 } };
    const { client, server } = telemetryPolicy([listener("INBOUND", {}), listener("OUTBOUND", { tracing })]);
    expect([client.tracing.samplingRatio, server.tracing.samplingRatio]).toEqual([0.25, undefined]);
  });

  it.each([
    ["text", { log_format: { text_format_source: { inline_string: "%PROTOCOL%\\n" } } }, "text", "%PROTOCOL%\\n"],
    ["text of old", { format: "%PROTOCOL%" }, "text", "%PROTOCOL%"],
    ["JSON", { log_format: { json_format: { p: "%PROTOCOL%" } } }, "json", { p: "%PROTOCOL%" }],
    ["the default", {}, "text", undefined],
  ])("writes access logs as it says: %s", (_, says, encoding, format) => {
    const { server } = telemetryPolicy([listener("INBOUND", { access_log: [file(says)] })]);
    expect(server.accessLogs).toMatchObject([{ provider: { kind: "file", path: "/dev/stdout", encoding } }]);
    expect(server.accessLogs[0]?.provider.format).toEqual(format);
  });

  it("keeps filters by status and by expression, and writes nothing where one is not known", () => {
    const by = (filter: object) => ({ ...file({}), filter });
    const told = listener("INBOUND", {
      access_log: [
        by({ status_code_filter: { comparison: { op: "GE", value: { default_value: 500 } } } }),
        by({ duration_filter: { comparison: { op: "GE", value: { default_value: 5 } } } }),
        { name: "otel", typed_config: { type: "x.OpenTelemetryAccessLogConfig", value: new Uint8Array() } },
      ],
    });
    expect(telemetryPolicy([told]).server.accessLogs.map(({ filter }) => filter?.source)).toEqual([
      "response.code >= 500",
    ]);
    expect(told.notices).toEqual([
      "access_log file with a filter that is not known: it is not written",
      "access_log otel (x.OpenTelemetryAccessLogConfig)",
    ]);
  });

  it.skipIf(RECORDINGS_MISSING !== undefined)("takes over what a real istiod made of a Telemetry", () => {
    const { client, server } = telemetryPolicy(recorded("sidecar.sotw.json", listenerType("envoy")).values());
    for (const { tracing, accessLogs } of [client, server]) {
      expect(tracing).toMatchObject({
        samplingRatio: 0.125,
        istioTags: true,
        tags: [
          { kind: "literal", name: "env", value: "lab" },
          { kind: "header", name: "hdr", header: "x-tag", fallback: "none" },
        ],
      });
      expect(accessLogs).toMatchObject([
        { provider: { path: "/dev/stdout" }, filter: { source: "response.code >= 400" } },
      ]);
    }
  });
});
