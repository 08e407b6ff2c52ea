/** Affinity over sockets: the cookie that ties a caller's requests to one endpoint, there and back. */

import { request } from "undici";
import { expect, it } from "vitest";
import { fakeMesh, listen } from "./mesh.js";

it("an answer brings the cookie with which the next requests go to the same endpoint", async () => {
  await using a = await listen((_, response) => response.end("a"));
  await using b = await listen((_, response) => response.setHeader("set-cookie", "own=1").end("b"));
  await using c = await listen((_, response) => response.end("c"));
  const mesh = fakeMesh({
    cart: {
      endpoints: [a.port, b.port, c.port],
      policy: { hash: { kind: "ringHash", minimumRingSize: 1_024 } },
      route: { hashKeys: [{ kind: "cookie", name: "session", path: "/", ttlMs: 0, attributes: [] }] },
    },
  });
  const ask = async (cookie?: string) => {
    const { headers, body } = await request("http://cart/", {
      dispatcher: mesh.dispatcher,
      ...(cookie !== undefined && { headers: { cookie } }),
    });
    return { who: await body.text(), cookies: [headers["set-cookie"] ?? []].flat() };
  };
  const reached = new Set<string>();
  for (let caller = 0; caller < 20; caller++) {
    const { who, cookies } = await ask();
    reached.add(who);
    const session = cookies.find((line) => line.startsWith("session="));
    expect(session).toMatch(/^session="[0-9a-f]{16}"; Path=\/; HttpOnly$/);
    expect(cookies).toHaveLength(who === "b" ? 2 : 1); // the application's own stays
    for (let again = 0; again < 3; again++) {
      expect(await ask(session?.split(";")[0])).toEqual({ who, cookies: who === "b" ? ["own=1"] : [] });
    }
  }
  expect(reached.size).toBeGreaterThan(1);
  await mesh.close();
});
