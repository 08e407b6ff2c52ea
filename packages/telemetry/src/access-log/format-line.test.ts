import { expect, it } from "vitest";
import { compileJson, compileText, DEFAULT_TEXT } from "./format-line.js";
import { record } from "./testing/record.js";

it("writes Istio's text by default", () => {
  const line = compileText(DEFAULT_TEXT, false);
  expect(line(record({ requestHeaders: { "user-agent": "undici" } }))).toBe(
    '[2026-11-20T21:04:11.482Z] "GET /api/reviews/42 HTTP/1.1" 200 - via_upstream - "-" 0 58 41 31 "-" "undici" "6f0c" ' +
      '"reviews.shop" "10.1.0.9:9080" - 127.0.0.1:40112 - - - -\n',
  );
});

it("keeps what a peer sends within its quotes and its line", () => {
  const line = compileText('"%REQ(USER-AGENT)%" %RESPONSE_CODE%', false);
  const forged = record({ requestHeaders: { "user-agent": 'x" 200\n[2026] "GET / \u001b[31m' } });
  expect(line(forged)).toBe('"x\\" 200\\u000a[2026] \\"GET / \\u001b[31m" 200\n');
});

it("shows no secret, whatever a format asks for", () => {
  const names = ["authorization", "cookie", "proxy-authorization", "x-api-key", "x-auth-token"];
  const line = compileText(names.map((name) => `%REQ(${name})%`).join(" "), false);
  const secrets = record({ requestHeaders: Object.fromEntries(names.map((name) => [name, "hunter2"])) });
  expect(line(secrets)).toBe(`${names.map(() => "[redacted]").join(" ")}\n`);
  expect(compileText("%RESP(set-cookie)%", false)(record({ responseHeaders: { "set-cookie": "s=1" } }))).toBe(
    "[redacted]\n",
  );
});

it("reads fallbacks, lengths, times and gRPC's codes", () => {
  const line = compileText(
    "%REQ(x-none?:authority)% %REQ(x-user):3% %START_TIME(%d/%b/%Y:%H:%M:%S.%3f %z)% %GRPC_STATUS% %GRPC_STATUS(NUMBER)% %GRPC_STATUS(SNAKE_STRING)% %TRAILER(x)%",
    false,
  );
  expect(line(record({ grpcStatus: 4, requestHeaders: { "x-user": "alexandra" } }))).toBe(
    "reviews.shop ale 20/Nov/2026:21:04:11.482 +0000 DeadlineExceeded 4 DEADLINE_EXCEEDED -\n",
  );
});

it("keeps numbers numbers in JSON, and leaves out what is not there", () => {
  const line = compileJson(
    {
      code: "%RESPONSE_CODE%",
      who: "%REQ(x-user)%",
      text: "took %DURATION% ms",
      deep: { of: ["%PROTOCOL%", "%REQ(x)%"] },
      fixed: 7,
    },
    false,
  );
  expect(JSON.parse(line(record()))).toEqual({
    code: 200,
    text: "took 41 ms",
    deep: { of: ["HTTP/1.1", null] },
    fixed: 7,
  });
});
