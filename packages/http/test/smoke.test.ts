import { request } from "undici";
import { expect, it } from "vitest";
import { createFetch } from "../src/index.js";
import { fakeMesh, listen } from "./mesh.js";

it("serves undici and fetch over the engine", async () => {
  await using server = await listen((req, res) => res.end(`${req.method} ${req.headers.host} ${req.url}`));
  const mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  const { dispatcher } = mesh;
  const one = await request("http://reviews/a?b=1", { dispatcher });
  expect(await one.body.text()).toBe("GET reviews /a?b=1");
  const fetched = await createFetch(dispatcher)("http://reviews/x", { method: "POST", body: "hi" });
  expect(await fetched.text()).toBe("POST reviews /x");
  const global = await fetch("http://reviews/y", { dispatcher } as unknown as RequestInit);
  expect(await global.text()).toBe("GET reviews /y");
  expect(mesh.calls.map((call) => call.status)).toEqual([200, 200, 200]);
  await mesh.close();
});

it("answers as Envoy when there is no endpoint", async () => {
  const mesh = fakeMesh({ reviews: { endpoints: [] } });
  const fetched = await createFetch(mesh.dispatcher)("http://reviews/x", { method: "POST", body: "hi" });
  expect([fetched.status, fetched.headers.get("x-inmesh-error")]).toEqual([503, "NO_ENDPOINT"]);
  expect(await fetched.text()).toMatch(/^no healthy upstream\n/);
  await mesh.close();
});
