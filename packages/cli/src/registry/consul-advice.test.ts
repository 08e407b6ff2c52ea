import { expect, it } from "vitest";
import { consulAdvice } from "./consul-advice.js";

it.each([
  ["it answered 403: ACL not found; the token is not known there", /consul acl token read -self/],
  ["it answered 403: Permission denied", /key_prefix "mesh\/" \(read, and write to change policy\)/],
  ['it hides what the token may not read: it may not read key "mesh/policy/"', /key_prefix "mesh\/"/],
  ["it answered 413: Request body(9 bytes) too large", /Split the documents/],
  ["it answered 429: slow down", /in a moment/],
  ["it answered 500: No cluster leader", /choosing a leader/],
  ["it answered 400: Bad request", /HTTP API/],
  ["others kept changing the keys below mesh/policy/ for 30 s", /inmesh history/],
  ["its certificate has expired (CERT_HAS_EXPIRED)", /consul\.md/],
  ["nothing listens there (ECONNREFUSED)", /Start it, or name another/],
])("tells what to do when %s", (reason, advice) => {
  expect(consulAdvice(reason, "mesh")).toMatch(advice);
});
