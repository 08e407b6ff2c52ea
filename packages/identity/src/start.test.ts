import { expect, it } from "vitest";
import { SvidProblem } from "./index.js";

it("names its own kind of error", () => {
  expect(new SvidProblem("no URI").name).toBe("SvidProblem");
});
