import http from "node:http";
import axios from "axios";
import got from "got";
import { afterEach, beforeEach, expect, it } from "vitest";
import { patchHttp } from "../src/internal.js";
import { type FakeMesh, fakeMesh, listen, type TestServer } from "./mesh.js";

let server: TestServer;
let mesh: FakeMesh;
let undo: () => void;

beforeEach(async () => {
  server = await listen(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    res.setHeader("x-method", req.method ?? "");
    res.end(
      JSON.stringify({
        method: req.method,
        url: req.url,
        headers: req.headers,
        body: Buffer.concat(chunks).toString(),
      }),
    );
  });
  mesh = fakeMesh({ reviews: { endpoints: [server.port] } });
  undo = patchHttp(mesh.client);
});
afterEach(async () => {
  undo();
  await mesh.close();
  await server[Symbol.asyncDispose]();
});

it("get", async () => {
  const body = await new Promise<string>((resolve, reject) => {
    http
      .get("http://reviews/a?b", (res) => {
        let text = "";
        res.setEncoding("utf8");
        res.on("data", (c) => (text += c));
        res.on("end", () => resolve(text));
      })
      .on("error", reject);
  });
  expect(JSON.parse(body)).toMatchObject({ method: "GET", url: "/a?b", headers: { host: "reviews" } });
});
it("axios", async () => {
  const { data, status } = await axios.post("http://reviews/x", { a: 1 });
  expect([status, data.body]).toEqual([200, '{"a":1}']);
});
it("got", async () => {
  const data = await got.post("http://reviews/x", { json: { a: 1 } }).json<{ body: string }>();
  expect(data.body).toEqual('{"a":1}');
  expect(mesh.calls.length).toBe(1);
});
