import { expect, it } from "vitest";
import { LOG_OPERATORS, parseLogFormat } from "./parse-log-format.js";

it("tells text from operators, with their arguments", () => {
  const { parts, problems } = parseLogFormat("a %REQ(X-User?:Authority):12% 100%% %START_TIME(%s.%3f)%\n");
  expect(problems).toEqual([]);
  expect(parts).toEqual([
    "a ",
    { name: "REQ", argument: "x-user", alternative: ":authority", maxLength: 12 },
    " 100% ",
    { name: "START_TIME", argument: "%s.%3f", alternative: "", maxLength: 0 },
    "\n",
  ]);
});

it.each([
  ["%DYNAMIC_METADATA(x:y)%", "DYNAMIC_METADATA"],
  ["%REQ%", "takes a header's name"],
  ["%REQ(a b)%", "takes a header's name"],
  ["%REQ(a?b?c)%", "takes a header's name"],
  ["%REQ(:secret)%", "takes a header's name"],
  ["%DURATION(x)%", "takes no argument"],
  ["%GRPC_STATUS(LOUD)%", "takes NUMBER"],
  ["50% of it", "written %%"],
  ["%", "written %%"],
  ["%constructor%", "written %%"],
  ["%PROTOCOL", "written %%"],
  ["%PROTOCOL%".repeat(300), "more than 256 operators"],
  ["x".repeat(20_000), "more than 16384 characters"],
])("refuses %j", (format, problem) => {
  const { problems } = parseLogFormat(format);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(problem);
});

it("takes every operator that it names", () => {
  for (const name of LOG_OPERATORS) {
    const argument = /^(REQ|RESP|TRAILER)(_WITHOUT_QUERY)?$/.test(name) ? "(x-id)" : "";
    expect(parseLogFormat(`%${name}${argument}%`).problems).toEqual([]);
  }
});

/** Istio's, of pilot/pkg/model/telemetry_logging.go, as `istioctl` shows it. */
const ISTIO =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% ' +
  '%BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" ' +
  '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

it("takes Istio's default format", () => {
  const { parts, problems } = parseLogFormat(ISTIO);
  expect(problems).toEqual([]);
  expect(parts.filter((part) => typeof part !== "string")).toHaveLength(24);
});
