import { expect, it } from "vitest";
import { isSampled, isTraceparent, traceIdOf, traceSpanOf } from "./traceparent-line.js";

const [TRACE, SPAN] = ["0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"];
const LINE = `00-${TRACE}-${SPAN}-01`;

it("reads the parts of a line, of later versions too", () => {
  for (const line of [LINE, `cc-${LINE.slice(3)}-what-follows`]) {
    expect([isTraceparent(line), traceIdOf(line), traceSpanOf(line), isSampled(line)]).toEqual([
      true,
      TRACE,
      SPAN,
      true,
    ]);
  }
  expect(isSampled(`${LINE.slice(0, -2)}00`)).toBe(false);
});

it("takes no line whose parts are not there, or not in hexadecimal digits of lower case", () => {
  expect(isTraceparent("")).toBe(false);
  for (let index = 0; index < LINE.length; index++) {
    for (const char of ["g", "A", "`", ":", "/", " "]) {
      expect(isTraceparent(LINE.slice(0, index) + char + LINE.slice(index + 1))).toBe(false);
    }
    expect(isTraceparent(LINE.slice(0, index) + LINE.slice(index + 1))).toBe(false);
  }
});
