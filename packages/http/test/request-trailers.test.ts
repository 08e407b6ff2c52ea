import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { expect, it } from "vitest";
import { Notices } from "../src/internal.js";
import { createHttp } from "../src/node/index.js";
import { fakeMesh, listen } from "./mesh.js";

it("trailers of a request are not sent, which is said once; those of an answer come", async () => {
  await using server = await listen(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    response.writeHead(200, { trailer: "x-out" });
    response.addTrailers({ "x-out": "out" });
    response.end(JSON.stringify([body, request.trailers]));
  });
  const said: string[] = [];
  const mesh = fakeMesh(
    { reviews: { endpoints: [server.port] } },
    { notices: new Notices((message) => said.push(message)) },
  );
  for (let n = 0; n < 2; n++) {
    const sent = createHttp(mesh.client).request({ host: "reviews", method: "POST" });
    sent.write("body");
    sent.addTrailers(n === 0 ? {} : { "x-in": "in" });
    sent.addTrailers({ "x-in": "in" });
    sent.end();
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    let text = "";
    for await (const chunk of response) text += chunk;
    expect([JSON.parse(text), response.trailers]).toEqual([["body", {}], { "x-out": "out" }]);
  }
  expect(said).toEqual([expect.stringMatching(/^trailers of a request are not sent/)]);
  await mesh.close();
});
