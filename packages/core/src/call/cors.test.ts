import type { CorsPolicy } from "@inmesh/model";
import { describe, expect, it } from "vitest";
import { testEngine } from "../testing/test-engine.js";
import { corsOps, preflightAnswer } from "./cors.js";

const POLICY: CorsPolicy = {
  allowsOrigin: (origin) => origin === "https://a.example",
  allowMethods: "GET,POST",
  allowHeaders: "x-user",
  exposeHeaders: "x-exposed",
  maxAge: "60",
  allowCredentials: true,
  forwardsUnmatchedPreflights: true,
  field: "corsPolicy",
};
const PREFLIGHT = ["origin", "https://a.example", "access-control-request-method", "PUT"];
const PERMISSION = ["access-control-allow-origin", "https://a.example", "access-control-allow-credentials", "true"];

function asked(method: string, headers: readonly string[]) {
  const header = (name: string) => headers[headers.indexOf(name) + 1];
  return {
    method,
    path: "/",
    authority: "reviews",
    scheme: "http",
    header: (name: string) => (headers.includes(name) ? header(name) : undefined),
  };
}

describe("preflightAnswer", () => {
  it("permits a known origin, whatever method it asks for", () => {
    expect(preflightAnswer(POLICY, asked("OPTIONS", PREFLIGHT))).toEqual([
      ...PERMISSION,
      "access-control-allow-methods",
      "GET,POST",
      "access-control-allow-headers",
      "x-user",
      "access-control-expose-headers",
      "x-exposed",
      "access-control-max-age",
      "60",
    ]);
  });

  it.each<[string, string, readonly string[]]>([
    ["another method", "GET", PREFLIGHT],
    ["no origin", "OPTIONS", PREFLIGHT.slice(2)],
    ["no requested method", "OPTIONS", PREFLIGHT.slice(0, 2)],
    ["an empty origin", "OPTIONS", ["origin", "", ...PREFLIGHT.slice(2)]],
    ["an empty requested method", "OPTIONS", [...PREFLIGHT.slice(0, 3), ""]],
    ["a foreign origin", "OPTIONS", ["origin", "https://evil.test", ...PREFLIGHT.slice(2)]],
  ])("forwards %s", (_, method, headers) => {
    expect(preflightAnswer(POLICY, asked(method, headers))).toBeUndefined();
  });

  it("repeats what was asked for in place of *, where the policy says so", () => {
    const all = { ...POLICY, allowMethods: "*", allowHeaders: "*" };
    const asks = asked("OPTIONS", [...PREFLIGHT, "access-control-request-headers", "x-a,x-b"]);
    const values = (policy: CorsPolicy) => preflightAnswer(policy, asks)?.filter((_, index) => [5, 7].includes(index));
    expect(values(all)).toEqual(["*", "*"]);
    expect(values({ ...all, repeatsWhatIsAsked: true })).toEqual(["PUT", "x-a,x-b"]);
    expect(values({ ...POLICY, repeatsWhatIsAsked: true })).toEqual(["GET,POST", "x-user"]);
  });

  it("names no origin to a foreign one under unmatchedPreflights IGNORE, as Envoy does", () => {
    const foreign = asked("OPTIONS", ["origin", "https://evil.test", ...PREFLIGHT.slice(2)]);
    expect(preflightAnswer({ ...POLICY, forwardsUnmatchedPreflights: false }, foreign)).toEqual([
      ...["access-control-allow-credentials", "true", "access-control-allow-methods", "GET,POST"],
      ...["access-control-allow-headers", "x-user", "access-control-max-age", "60"],
    ]);
  });
});

describe("corsOps", () => {
  it("sets permission for a known origin only", () => {
    const { set } = corsOps(POLICY, asked("GET", PREFLIGHT));
    expect(set.flat()).toEqual([...PERMISSION, "access-control-expose-headers", "x-exposed"]);
    expect(corsOps(POLICY, asked("GET", [])).set).toEqual([]);
  });
});

describe("a rule with corsPolicy", () => {
  const engine = () => testEngine({ clusters: { reviews: ["10.0.0.1:80"] }, hosts: { reviews: [{ cors: POLICY }] } });

  it("answers a preflight without asking anybody", () => {
    const { send, network } = engine();
    const { exchange } = send("reviews", { method: "OPTIONS", headers: PREFLIGHT });
    expect(exchange.localReply?.status).toBe(200);
    expect(exchange.localReply?.headers.slice(0, 4)).toEqual(PERMISSION);
    expect(network.written).toEqual([]);
  });

  it("sends anything else on, and permits its answer", () => {
    const { send, network } = engine();
    const { call } = send("reviews", { headers: PREFLIGHT });
    expect(network.written).toHaveLength(1);
    expect(call.responseOps.flatMap(({ set }) => set[0]!)).toEqual(PERMISSION.slice(0, 2)); // one pair at least
  });

  it("is not asked by an injected abort, which comes before it", () => {
    const fault = { delayRatio: 0, delayMs: 0, abortRatio: 1, abortStatus: 418 };
    const hosts = { reviews: [{ cors: POLICY, fault }] };
    const { send } = testEngine({ clusters: { reviews: ["10.0.0.1:80"] }, hosts });
    for (const method of ["GET", "OPTIONS"]) {
      const { call, exchange } = send("reviews", { method, headers: PREFLIGHT });
      expect({ error: exchange.events, ops: call.responseOps }).toEqual({ error: ["fail FAULT_ABORTED"], ops: [] });
    }
  });
});
