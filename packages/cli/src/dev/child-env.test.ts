import { describe, expect, it } from "vitest";
import { childEnv, registerUrl } from "./child-env.js";

const settings = { service: "web", namespace: "shop", config: "/mesh", labels: {}, env: {} };

describe("childEnv", () => {
  it("adds our preload after those the user has", () => {
    const env = childEnv({ NODE_OPTIONS: "--max-old-space-size=64" }, settings, "file:///r.js");
    expect(env["NODE_OPTIONS"]).toBe("--max-old-space-size=64 --import file:///r.js");
  });

  it("keeps the child's own variables and tells it who it is", () => {
    const given = {
      ...settings,
      labels: { version: "v2", team: "a" },
      env: { PORT: "0", NODE_OPTIONS: "--no-warnings" },
    };
    expect(childEnv({ PORT: "80", HOME: "/h", GONE: undefined, INMESH_DEV_KEYS: "1" }, given, "file:///r.js")).toEqual({
      HOME: "/h",
      PORT: "0",
      NODE_OPTIONS: "--no-warnings --import file:///r.js",
      INMESH_SERVICE: "web",
      INMESH_NAMESPACE: "shop",
      INMESH_CONFIG: "/mesh",
      INMESH_LABELS: "version=v2,team=a",
      INMESH_TRACING_SAMPLING: "100",
    });
  });

  it("has every trace recorded, unless the user or the child says otherwise", () => {
    const sampling = (base: Record<string, string>, env = {}) =>
      childEnv(base, { ...settings, env }, "file:///r.js")["INMESH_TRACING_SAMPLING"];
    expect(sampling({})).toBe("100");
    expect(sampling({ INMESH_TRACING_SAMPLING: "5" })).toBe("5");
    expect(sampling({}, { INMESH_TRACING_SAMPLING: "7" })).toBe("7");
  });

  it("has requests logged into a file, unless the user says where", () => {
    const given = { ...settings, accessLog: "/scratch/access.log" };
    const log = (base: Record<string, string>) => childEnv(base, given, "file:///r.js")["INMESH_ACCESS_LOG"];
    expect(log({})).toBe("json,file=/scratch/access.log,maxBytes=16777216");
    expect(log({ INMESH_ACCESS_LOG: "off" })).toBe("off");
  });

  it("finds the preload as a file URL", () => {
    expect(registerUrl()).toMatch(/^file:.*\/node\/(dist|src)\/register\.[jt]s$/);
  });
});
