import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ask, newFolder, start } from "./child.js";
import { until } from "./until.js";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

describe.each([
  ["node:http", "bare.mjs", "import"],
  ["node:http, --require", "bare.mjs", "require"],
  ["node:http, CommonJS", "bare.cjs", "import"],
  ["node:http, CommonJS, --require", "bare.cjs", "require"],
] as const)("%s, unchanged", (_, fixture, load) => {
  it("calls another service by name, with trace and deadline of the request it serves", async () => {
    const folder = newFolder();
    const echo = start("bare.mjs", { folder, service: "echo" });
    await echo.port();
    // Known before anybody asks: a name nobody has registered yet goes to DNS, and the app would report that.
    const leases = join(folder, ".workloads");
    await until(() => existsSync(leases) && readdirSync(leases).some((lease) => lease.includes(".echo.")));
    const web = start(fixture, { folder, service: "web", load });
    const port = await web.port();
    const via = async (path: string) => {
      const { text } = await ask(port, path, {
        traceparent: TRACE,
        "x-inmesh-timeout-ms": "4000",
        "x-request-id": "r-7",
      });
      return JSON.parse(text);
    };
    await until(async () => (await via("/fetch?u=http://echo/echo").catch(() => undefined))?.status === 200);
    for (const path of ["/fetch?u=http://echo/echo", "/get?u=http://echo/echo"]) {
      const { status, body } = await via(path);
      expect([status, body.service]).toEqual([200, "echo"]);
      expect(body.headers).toMatchObject({ host: "echo", traceparent: TRACE, "x-request-id": "r-7" });
      expect(Object.keys(body.headers).filter((name) => name.startsWith("x-inmesh"))).toEqual([]);
    }
    const hurried = await ask(port, "/fetch?u=http://echo/slow%3Fms=3000", { "x-inmesh-timeout-ms": "150" });
    expect(JSON.parse(hurried.text)).toMatchObject({ status: 504, body: expect.stringContaining("deadline") });
    const self = await via("/fetch?u=http://web/echo");
    expect(self.body).toMatchObject({ service: "web", pid: web.process.pid });
    expect([web.errors(), echo.errors()]).toEqual(["", ""]);
  });
});
