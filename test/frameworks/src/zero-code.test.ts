import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { until } from "../../../packages/node/test/until.js";
import { AppProcess } from "./app-process.js";
import { ask } from "./ask.js";
import { FRAMEWORKS, serviceName } from "./frameworks.js";
import { Registry } from "./registry.js";

const TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const registry = new Registry();
const apps = new Map<string, AppProcess>();

beforeAll(async () => {
  const start = (service: string, framework: string) => {
    apps.set(service, new AppProcess({ registry, service, program: ["app.mjs", framework] }));
  };
  start("echo", "http");
  for (const [framework] of FRAMEWORKS) start(serviceName(framework), framework);
  await Promise.all([...apps.values()].map((app) => app.port()));
  await until(() => registry.leases().length === apps.size);
});

afterAll(async () => {
  await Promise.all([...apps.values()].map((app) => app[Symbol.asyncDispose]()));
  registry[Symbol.dispose]();
});

function limitOf(service: string): string {
  return `apiVersion: inmesh.dev/v1alpha1
kind: RateLimit
metadata: { name: ${service} }
spec: { host: ${service}, rules: [{ name: all, requests: 1, per: 1h, match: [{ uri: { exact: /limited } }] }] }
`;
}

async function inbound(service: string): Promise<{ readonly requests: number; readonly inFlight: number }> {
  const [lease] = registry.leases(service);
  return (await (await fetch(`${lease?.admin}/stats`)).json()).inbound;
}

describe.each(FRAMEWORKS)("%s, not one line changed", (framework, portName, protocol) => {
  const service = serviceName(framework);
  const app = () => apps.get(service) as AppProcess;
  it("registers its port under the name of its protocol", async () => {
    expect(registry.leases(service).map(({ ports }) => ports)).toEqual([{ [portName]: await app().port() }]);
  });

  it("hands trace and deadline of a request to the calls made for it, and counts it once", async () => {
    const port = await app().port();
    const before = await inbound(service);
    const headers = { traceparent: TRACE, "x-request-id": "r-7", "x-inmesh-timeout-ms": "4000" };
    // A name that the process has not heard of yet is asked of DNS.
    const { status, text } = await until(async () => {
      const answer = JSON.parse((await ask(protocol, port, "/call?u=http://echo/hello", headers)).text);
      return answer.status === 200 && answer;
    });
    expect([status, JSON.parse(text)]).toEqual([
      200,
      expect.objectContaining({
        path: "/hello",
        headers: expect.objectContaining({ traceparent: TRACE, "x-request-id": "r-7" }),
      }),
    ]);
    const hurried = { "x-inmesh-timeout-ms": "150" };
    const late = await ask(protocol, port, "/call?u=http://echo/slow%3Fms=3000", hurried);
    expect(JSON.parse(late.text)).toMatchObject({ status: 504, text: expect.stringContaining("deadline") });
    const { text: own } = await ask(protocol, port, "/own", headers);
    expect(own).not.toContain("inmesh");
    const counted = await until(async () => {
      const { inFlight, requests } = await inbound(service);
      return inFlight === 0 && requests - before.requests;
    });
    const calls = counted - 2;
    expect(calls).toBeGreaterThanOrEqual(1);
    await ask(protocol, port, "/own");
    expect((await inbound(service)).requests - before.requests - counted).toBe(1);
    expect(app().errors).toBe("");
  });
});

it("every framework is kept from what policy does not let in, and serves the rest", async () => {
  const services = FRAMEWORKS.map(([framework]) => serviceName(framework));
  registry.write("limits.yaml", services.map(limitOf).join("---\n"));
  const statuses = FRAMEWORKS.map(async ([framework, , protocol]) => {
    const app = apps.get(serviceName(framework)) as AppProcess;
    const port = await app.port();
    await until(async () => (await ask(protocol, port, "/limited")).status === 429);
    const late = await ask(protocol, port, "/own", { "x-inmesh-timeout-ms": "0" });
    return [framework, (await ask(protocol, port, "/own")).status, late.status];
  });
  expect(await Promise.all(statuses)).toEqual(FRAMEWORKS.map(([framework]) => [framework, 200, 504]));
});

it("every framework finishes what it serves when SIGTERM comes, sends its callers away, and ends by the signal", async () => {
  const ends = FRAMEWORKS.map(async ([framework, , protocol]) => {
    const app = apps.get(serviceName(framework)) as AppProcess;
    const slow = ask(protocol, await app.port(), "/slow?ms=1500");
    await until(async () => (await inbound(serviceName(framework))).inFlight === 1);
    app.child.kill("SIGTERM");
    const { status, last } = await slow;
    const errors = app.errors.replace(/^inmesh: rate limit .*\n/m, ""); // the warning of the test before
    return { framework, status, last, errors, ...(await app.exited) };
  });
  expect(await Promise.all(ends)).toEqual(
    FRAMEWORKS.map(([framework]) => ({
      framework,
      status: 200,
      last: true,
      errors: "",
      code: null,
      signal: "SIGTERM",
    })),
  );
  expect(registry.leases().map(({ service }) => service)).toEqual(["echo"]);
});
