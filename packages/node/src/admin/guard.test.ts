import { expect, it } from "vitest";
import { judgeAccess } from "./guard.js";

const endpoint = { port: 4711, names: new Set(["mesh.internal"]) };

it.each([["localhost:4711"], ["LOCALHOST:4711"], ["127.0.0.1:4711"], ["[::1]:4711"], ["mesh.internal:4711"]])(
  "lets %s read",
  (host) => {
    expect(judgeAccess("GET", { host }, endpoint)).toBeUndefined();
  },
);

it.each([
  ["evil.example:4711"],
  ["127.0.0.1"],
  ["127.0.0.1:80"],
  ["127.0.0.1.evil.example:4711"],
  ["localhost.evil.example:4711"],
  ["localhost:4711@evil.example"],
  ["evil.example:4711#localhost:4711"],
  [""],
  [undefined],
])("refuses host %s: a page of that name was made to point here", (host) => {
  expect(judgeAccess("GET", host === undefined ? {} : { host }, endpoint)).toMatchObject({ status: 403 });
});

it("lets change something only who sends the header that no web page can", () => {
  const host = "localhost:4711";
  expect(judgeAccess("POST", { host }, endpoint)).toMatchObject({ status: 403 });
  expect(judgeAccess("POST", { host, "x-inmesh-admin": "0" }, endpoint)).toMatchObject({ status: 403 });
  expect(judgeAccess("POST", { host, "x-inmesh-admin": "1" }, endpoint)).toBeUndefined();
  expect(judgeAccess("DELETE", { host, "x-inmesh-admin": "1" }, endpoint)).toMatchObject({ status: 405 });
  expect(judgeAccess("OPTIONS", { host }, endpoint)).toMatchObject({ status: 405 });
});

it("answers on port 80 without a port in the Host header", () => {
  expect(judgeAccess("GET", { host: "localhost" }, { ...endpoint, port: 80 })).toBeUndefined();
});

it("takes any host on a unix socket, which only this user can open", () => {
  expect(judgeAccess("GET", { host: "x" }, { ...endpoint, port: 0 })).toBeUndefined();
});
