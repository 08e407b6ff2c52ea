import { once } from "node:events";
import type { RequestListener } from "node:http";
import { describe, expect, it } from "vitest";
import { flaky, leakCheck, resetting, silent, testMesh } from "./index.js";

const says =
  (text: string): RequestListener =>
  (_request, response) =>
    void response.end(text);

const V1_ONLY = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews }
spec:
  host: reviews
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http: [{ route: [{ destination: { host: reviews, subset: v1 } }] }]
`;

const RETRIES = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews }
spec:
  hosts: [reviews]
  http:
    - retries: { attempts: 5, retryOn: "5xx,reset,connect-failure", backoff: 1ms }
      route: [{ destination: { host: reviews } }]
`;

describe("testMesh", () => {
  it("routes by policy, and by other policy once apply has resolved", async () => {
    await using mesh = await testMesh({
      services: {
        reviews: [
          { handler: says("one"), version: "v1" },
          { handler: says("two"), version: "v2" },
        ],
      },
      policy: V1_ONLY,
    });
    const ask = async () => (await mesh.fetch("http://reviews/")).text();
    expect(await Promise.all(Array.from({ length: 20 }, ask))).toEqual(new Array(20).fill("one"));
    await mesh.apply(V1_ONLY.replace("subset: v1 } }] }", "subset: v2 } }] }"));
    expect(await ask()).toBe("two");
    await mesh.remove("VirtualService/default/reviews");
    const answers = new Set(await Promise.all(Array.from({ length: 60 }, ask)));
    expect(answers).toEqual(new Set(["one", "two"]));
    expect(mesh.instances("reviews").map(({ requests }) => requests > 10)).toEqual([true, true]);
  });

  it("lets services call each other in their own name", async () => {
    await using mesh = await testMesh({ services: { reviews: says("five stars"), web: says("") } });
    const [web] = mesh.instances("web");
    expect(await (await web!.mesh.fetch("http://reviews/")).text()).toBe("five stars");
  });

  it("survives a kill, failing answers and broken connections where policy retries", async () => {
    await using mesh = await testMesh({
      services: {
        reviews: [
          { handler: flaky(says("a"), { ratio: 0.3 }) },
          { handler: resetting(says("b"), { ratio: 0.3 }) },
          { handler: says("c") },
        ],
      },
      policy: RETRIES,
    });
    mesh.instances("reviews")[2]!.kill(); // three were started
    const statuses = await Promise.all(
      Array.from({ length: 100 }, async () => (await mesh.fetch("http://reviews/")).status),
    );
    // Who gets which draw depends on the order of arrival. Six attempts at 0.3 each: 0.0007 of the calls fail, three of a
    // hundred in one run of twenty thousand.
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(97);
  });

  it("ends a call to a service that never answers when its caller gives up", async () => {
    await using mesh = await testMesh({ services: { reviews: silent } });
    const controller = new AbortController();
    const call = mesh.fetch("http://reviews/", { signal: controller.signal });
    while (mesh.instances("reviews")[0]!.requests === 0) await new Promise((resolve) => setImmediate(resolve));
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  });

  it("refuses policy that is not valid, with file, line and reason", async () => {
    const wrong = RETRIES.replace("attempts: 5", "attempts: five");
    await expect(testMesh({ services: {}, policy: wrong })).rejects.toThrow(
      /IST0106 policy\.yaml:8 spec\.http\[0\]\.retries\.attempts: found "five"/,
    );
  });

  it("leaves nothing running", async () => {
    const leaks = leakCheck();
    const mesh = await testMesh({ services: { reviews: says("hello") } });
    await (await mesh.fetch("http://reviews/")).text();
    expect(leaks()).not.toEqual([]);
    await mesh.close();
    while (leaks().some((kind) => kind.startsWith("TCP"))) await new Promise((resolve) => setImmediate(resolve));
    expect(leaks().filter((kind) => kind !== "Immediate x 1")).toEqual([]);
  });
});

describe("leakCheck", () => {
  it("names what was left open", async () => {
    const { createServer } = await import("node:http");
    const leaks = leakCheck();
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    expect(leaks()).toEqual(["TCPServerWrap x 1"]);
    server.close();
    await once(server, "close");
    await new Promise((resolve) => setImmediate(resolve)); // its handle goes after the event
    expect(leaks().filter((kind) => kind.startsWith("TCP"))).toEqual([]);
  });
});
