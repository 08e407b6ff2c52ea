/** The bookshop on a Consul of the session's own, in short. */

import { findConsul } from "@inmesh-test/consul/peer";
import { afterEach, describe, expect, it } from "vitest";
import { DevProcess, isAlive } from "./dev-process.js";
import { isFailed, isPage, readRequestLog } from "./request-log.js";

const binary = findConsul("the bookshop on a Consul");
let dev: DevProcess | undefined;

afterEach(() => dev?.dispose());

describe.skipIf(binary === undefined)("inmesh dev --registry consul", () => {
  it("plays the bookshop as ever", async () => {
    const args = ["dev", "--registry", "consul", "-n", "shop", "--script", "test/e2e/fixtures/consul.mjs"];
    dev = new DevProcess(args, { env: { INMESH_CONSUL_BIN: binary?.path ?? "" } });
    expect((await dev.ended).code, dev.text.slice(-3_000)).toBe(0);
    const { requests } = readRequestLog(/^Raw log: (.*)$/m.exec(dev.text)?.[1] ?? "");
    const hers = requests.filter((each) => each.phase === "canary" && isPage(each) && each.user === "maria");
    expect(hers.length).toBeGreaterThan(3);
    expect(hers.filter((each) => isFailed(each) || each.version !== "v2")).toEqual([]);
    expect(dev.text).toMatch(/^registry consul:\/\/127\.0\.0\.1:\d+/m);
    expect(dev.pids.length).toBeGreaterThanOrEqual(9);
    expect(dev.pids.filter(isAlive)).toEqual([]);
  }, 110_000);
});
