/** Hedging over real sockets: the answer of the faster endpoint, one answer only, and nothing left of the slower one. */

import { get } from "node:http";
import { fetch as undiciFetch } from "undici";
import { afterEach, describe, expect, it } from "vitest";
import { createFetch } from "../src/index.js";
import { patchHttp } from "../src/internal.js";
import { type FakeMesh, fakeMesh, listen, type TestServer, until } from "./mesh.js";

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

interface Scripted extends TestServer {
  readonly asked: string[];
  /** Requests whose connection was closed before they were answered. */
  readonly given: { up: number };
}

/** @param slow never answers a request before its caller gives up, but for every `slow`th */
async function endpoint(answer: (nth: number) => boolean): Promise<Scripted> {
  const asked: string[] = [];
  const given = { up: 0 };
  const server = await listen((request, response) => {
    asked.push(`${request.method} ${request.headers["x-envoy-attempt-count"] ?? 1}`);
    response.on("close", () => {
      if (!response.writableEnded) given.up += 1;
    });
    if (answer(asked.length)) request.resume().on("end", () => response.end("body"));
  });
  open.push(server);
  return Object.assign(server, { asked, given });
}

function mesh(servers: readonly TestServer[]): FakeMesh {
  const made = fakeMesh({
    reviews: {
      endpoints: servers.map(({ port }) => port),
      policy: { hedging: { maxAttempts: 2, delayMs: 30 } },
    },
  });
  open.push({ [Symbol.asyncDispose]: () => made.close() });
  return made;
}

describe("hedging over sockets", () => {
  it.each<[string, (mesh: FakeMesh) => Promise<{ status: number; text: string }>]>([
    [
      "fetch",
      async ({ dispatcher }) => {
        const answer = await createFetch(dispatcher)("http://reviews/");
        return { status: answer.status, text: await answer.text() };
      },
    ],
    [
      "undici's fetch with a body",
      async ({ dispatcher }) => {
        const answer = await undiciFetch("http://reviews/", {
          method: "POST",
          body: "twice is fine",
          headers: { "idempotency-key": "k" },
          dispatcher: dispatcher as never,
        });
        // What fetch makes of a string is a stream, which is read once: no hedge, but the answer of whoever answers.
        return { status: answer.status, text: await answer.text() };
      },
    ],
    [
      "node:http",
      ({ client }) =>
        new Promise((resolve, reject) => {
          const undo = patchHttp(client);
          get("http://reviews/", (response) => {
            let text = "";
            response.on("data", (chunk) => {
              text += chunk;
            });
            response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
          }).on("error", reject);
          undo();
        }),
    ],
  ])("%s gets one answer, whole, from whoever is first", async (name, ask) => {
    const fast = await endpoint(() => true);
    const hanging = await endpoint(() => false);
    const stream = name.includes("body");
    const made = mesh(stream ? [fast] : [hanging, fast]);
    for (let each = 0; each < 6; each++) expect(await ask(made)).toEqual({ status: 200, text: "body" });
    if (stream) return expect(fast.asked).toHaveLength(6);
    await until(() => hanging.given.up === hanging.asked.length); // every loser was cancelled
    expect(hanging.asked.length).toBeGreaterThan(0);
    expect(fast.asked).toHaveLength(6);
    expect(made.calls.every(({ status, noRetry }) => status === 200 && noRetry === undefined)).toBe(true);
  });

  it("R5: leaves no connection behind, however often it happens", async () => {
    const fast = await endpoint(() => true);
    const hanging = await endpoint(() => false);
    const made = mesh([hanging, fast]);
    const fetch = createFetch(made.dispatcher);
    for (let round = 0; round < 20; round++) {
      await Promise.all([0, 1, 2].map(() => fetch("http://reviews/").then((answer) => answer.text())));
    }
    await until(() => hanging.given.up === hanging.asked.length);
    // Three at a time need three; one or two more were being opened when their attempts were given up.
    expect(hanging.sockets.size).toBeLessThanOrEqual(6);
    expect(fast.sockets.size).toBeLessThanOrEqual(6);
    const { states, limits } = made.engine.clusters.all()[0]!;
    expect(states.map(({ inFlight, failures }) => inFlight + failures)).toEqual([0, 0]);
    expect(limits).toMatchObject({ active: 0, retries: 0, pending: 0 });
  });

  it("is over for both when the caller gives up", async () => {
    const hanging = [await endpoint(() => false), await endpoint(() => false)];
    const made = mesh(hanging);
    const controller = new AbortController();
    const answer = createFetch(made.dispatcher)("http://reviews/", { signal: controller.signal });
    await until(() => hanging.every(({ asked }) => asked.length === 1));
    controller.abort(new Error("enough"));
    await expect(answer).rejects.toThrow("enough");
    await until(() => hanging.every(({ given }) => given.up === 1));
  });
});
