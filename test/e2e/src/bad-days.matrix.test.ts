import { afterEach, describe, expect, it } from "vitest";
import { BAD_DAYS_MS, expectSurvived } from "./bad-days.js";
import { DevProcess } from "./dev-process.js";

const RATE = 300;
let dev: DevProcess | undefined;

afterEach(() => dev?.dispose());

describe(`the bookshop at ${RATE} requests/s, 30 % of them orders`, () => {
  it(
    "loses no page and executes no order twice when replicas are killed, everything restarts and policy goes off",
    async () => {
      expect.hasAssertions();
      dev = new DevProcess(["dev", "-n", "shop", "--script", "test/e2e/fixtures/bad-days.mjs"], {
        env: { E2E_RATE: String(RATE) },
      });
      await expectSurvived(dev, RATE);
    },
    BAD_DAYS_MS,
  );
});
