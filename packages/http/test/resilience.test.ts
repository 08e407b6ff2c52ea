/** What a Resilience document says of retries and hedging, from the document to the wire. */

import { Readable } from "node:stream";
import { request } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { createFetch } from "../src/index.js";
import { type CompiledMesh, compiledMesh, serviceEntry } from "./compiled-mesh.js";
import { listen, until } from "./mesh.js";

const URL_ = "http://reviews.shop.svc.cluster.local/";
const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

/** Three attempts on anything of 500 and above. */
const RULE = {
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name: "reviews", namespace: "shop" },
  spec: {
    hosts: ["reviews"],
    http: [
      {
        route: [{ destination: { host: "reviews" } }],
        retries: { attempts: 2, retryOn: "5xx", backoff: "1ms" },
      },
    ],
  },
};

function meshOf(ports: readonly number[], spec: object): CompiledMesh {
  const resilience = {
    apiVersion: "inmesh.dev/v1alpha1",
    kind: "Resilience",
    metadata: { name: "reviews", namespace: "shop" },
    spec: { host: "reviews", ...spec },
  };
  const mesh = compiledMesh([serviceEntry("reviews", ports), RULE, resilience]);
  open.push(mesh);
  return mesh;
}

/** @param failures answered 503 before the first 200 */
async function endpoint({ failures = 0, silent = false } = {}) {
  const bodies: number[] = [];
  const server = await listen(async (incoming, response) => {
    let bytes = 0;
    for await (const chunk of incoming) bytes += (chunk as Buffer).length;
    bodies.push(bytes);
    if (!silent) response.writeHead(bodies.length > failures ? 200 : 503).end();
  });
  open.push(server);
  return { port: server.port, bodies };
}

describe("retry.maxBodyBytes", () => {
  const KIB = 1024;
  /** One PUT of a stream. @returns lengths of the bodies that arrived */
  const put = async (bytes: number, retry?: object): Promise<readonly number[]> => {
    const { port, bodies } = await endpoint({ failures: 1 });
    const { dispatcher } = meshOf([port], retry === undefined ? {} : { retry });
    const parts = Array.from({ length: 8 }, () => Buffer.alloc(bytes / 8));
    const { body } = await request(URL_, { method: "PUT", body: Readable.from(parts), dispatcher });
    await body.dump();
    return bodies;
  };

  it("is how much of a streamed body is kept for another attempt: 64 KiB unless it is said", async () => {
    expect(await put(64 * KIB)).toEqual([64 * KIB, 64 * KIB]);
    expect(await put(72 * KIB)).toEqual([72 * KIB]);
  });

  it("may be more, less, or nothing at all", async () => {
    expect(await put(256 * KIB, { maxBodyBytes: 256 * KIB })).toEqual([256 * KIB, 256 * KIB]);
    expect(await put(264 * KIB, { maxBodyBytes: 256 * KIB })).toEqual([264 * KIB]);
    expect(await put(16 * KIB, { maxBodyBytes: 8 * KIB })).toEqual([16 * KIB]);
    expect(await put(8, { maxBodyBytes: 0 })).toEqual([8]);
  });

  it("does not concern what is in memory anyway", async () => {
    const { port, bodies } = await endpoint({ failures: 1 });
    const { dispatcher } = meshOf([port], { retry: { maxBodyBytes: 0 } });
    const { body } = await request(URL_, { method: "PUT", body: Buffer.alloc(100 * KIB), dispatcher });
    await body.dump();
    expect(bodies).toEqual([100 * KIB, 100 * KIB]);
  });
});

describe("retry.percent and retry.minPerSecond", () => {
  it("bound what failing calls add: saved-up retries first, then their share", async () => {
    const { port, bodies } = await endpoint({ failures: Number.POSITIVE_INFINITY });
    const { dispatcher, engine } = meshOf([port], { retry: { percent: 10, minPerSecond: 0 } });
    const fetch = createFetch(dispatcher);
    for (let each = 0; each < 50; each++) await (await fetch(URL_)).text();
    expect(bodies.length).toBe(50 + 10 + 4); // ten saved up, a tenth of those after the first retry
    const { stats, retriesLeft } = engine.clusters.all()[0]!;
    expect(stats.read().noRetry?.retry_rate).toBeGreaterThan(40);
    expect(retriesLeft).toBeLessThan(1);
  });
});

describe("hedging.attempts and hedging.delay", () => {
  it("send so many attempts, so long apart, until one is answered", async () => {
    const endpoints = [await endpoint({ silent: true }), await endpoint({ silent: true }), await endpoint()];
    const { dispatcher } = meshOf(
      endpoints.map(({ port }) => port),
      { hedging: { attempts: 3, delay: "40ms" } },
    );
    const fetch = createFetch(dispatcher);
    for (let each = 0; each < 5; each++) expect((await fetch(URL_)).status).toBe(200);
    expect(endpoints[2]!.bodies).toHaveLength(5);
  });

  it("stop at that many", async () => {
    const endpoints = [
      await endpoint({ silent: true }),
      await endpoint({ silent: true }),
      await endpoint({ silent: true }),
    ];
    const mesh = meshOf(
      endpoints.map(({ port }) => port),
      { hedging: { attempts: 2, delay: "20ms" } },
    );
    const controller = new AbortController();
    const answer = createFetch(mesh.dispatcher)(URL_, { signal: controller.signal }).catch(() => "given up");
    const asked = () => endpoints.reduce((sum, { bodies }) => sum + bodies.length, 0);
    await until(() => asked() === 2);
    await new Promise((resolve) => mesh.engine.clock.after(80, () => resolve(undefined)));
    expect(asked()).toBe(2);
    controller.abort();
    expect(await answer).toBe("given up");
  });
});
