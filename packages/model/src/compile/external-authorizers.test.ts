import { describe, expect, it } from "vitest";
import type { MeshConfigSpec } from "../kind/mesh-config.js";
import { externalAuthorizers } from "./external-authorizers.js";

type Provider = NonNullable<MeshConfigSpec["extensionProviders"]>[number];
const http = (name: string, spec: Provider["envoyExtAuthzHttp"]): Provider => ({ name, envoyExtAuthzHttp: spec });
const TARGET = { service: "authz.shop.svc.cluster.local", port: 8000 };

describe("externalAuthorizers", () => {
  it("fills in what Istio fills in", () => {
    expect(externalAuthorizers({ extensionProviders: [http("a", TARGET)] })).toEqual([
      {
        ...{
          name: "a",
          protocol: "http",
          host: "authz.shop.svc.cluster.local",
          port: 8000,
          timeoutMs: 600_000,
          failOpen: false,
        },
        ...{ statusOnError: 403, pathPrefix: "", includeRequestHeaders: [], additionalHeaders: [], refusal: "" },
        ...{ headersToUpstreamOnAllow: [], headersToDownstreamOnAllow: [], headersToDownstreamOnDeny: [] },
      },
    ]);
  });

  it("takes every field", () => {
    const spec = {
      ...{ service: "other/Authz.example", port: 1, timeout: "0.5s", failOpen: true, statusOnError: "503" },
      ...{ pathPrefix: "/check", includeHeadersInCheck: ["X-B"], includeRequestHeadersInCheck: ["X-A*"] },
      includeAdditionalHeadersInCheck: { "x-from": "inmesh" },
      includeRequestBodyInCheck: { maxRequestBytes: 10, allowPartialMessage: true, packAsBytes: true },
      ...{ headersToUpstreamOnAllow: ["X-Up"], headersToDownstreamOnAllow: ["*-Down"] },
      ...{ headersToDownstreamOnDeny: ["Set-Cookie"], clearRouteCache: true },
    };
    expect(externalAuthorizers({ extensionProviders: [http("a", spec)] })).toEqual([
      {
        ...{
          name: "a",
          protocol: "http",
          host: "authz.example",
          port: 1,
          timeoutMs: 500,
          failOpen: true,
          statusOnError: 503,
        },
        ...{ pathPrefix: "/check", includeRequestHeaders: ["x-a*", "x-b"], additionalHeaders: [["x-from", "inmesh"]] },
        body: { maxBytes: 10, allowPartial: true, packAsBytes: true },
        ...{ headersToUpstreamOnAllow: ["x-up"], headersToDownstreamOnAllow: ["*-down"] },
        ...{ headersToDownstreamOnDeny: ["set-cookie"], refusal: "" },
      },
    ]);
  });

  it.each<[string, Provider["envoyExtAuthzHttp"], string]>([
    ["no service", { port: 80 }, "names no service"],
    ["no port", { service: "a.b" }, "0 is no port"],
    ["a prefix without slash", { ...TARGET, pathPrefix: "check" }, "pathPrefix"],
    ["a status that is none", { ...TARGET, statusOnError: "no" }, '"no" is no HTTP status'],
    ["all headers", { ...TARGET, headersToUpstreamOnAllow: ["*"] }, '"*" is no name'],
    ["a star inside", { ...TARGET, includeRequestHeadersInCheck: ["x-*-y"] }, '"x-*-y" is no name'],
    ["two stars", { ...TARGET, headersToDownstreamOnDeny: ["*x*"] }, '"*x*" is no name'],
  ])("says that one with %s is broken", (_, spec, reason) => {
    expect(externalAuthorizers({ extensionProviders: [http("a", spec)] })[0]?.refusal).toContain(reason);
  });

  it("tells by which protocol each is asked, and passes over what is none", () => {
    const providers = [{ name: "g", envoyExtAuthzGrpc: TARGET }, { name: "p", prometheus: {} }, http("g", TARGET)];
    const [only, ...others] = externalAuthorizers({ extensionProviders: providers });
    expect(only).toMatchObject({ name: "g", protocol: "grpc", refusal: "" });
    expect(others).toEqual([]);
  });
});
