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
