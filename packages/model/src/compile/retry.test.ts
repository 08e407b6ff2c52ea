import { describe, expect, it } from "vitest";
import type { HttpRetrySpec } from "../kind/virtual-service.js";
import type { RetryPolicy } from "../snapshot/route.js";
import { compileRetry } from "./retry.js";

const DEFAULT = "connect-failure,refused-stream,unavailable,cancelled";

describe("compileRetry", () => {
  it.each<[string, HttpRetrySpec | undefined, number, string]>([
    ["no block: two retries of what nobody carried out", undefined, 3, DEFAULT],
    ["attempts only: the default conditions", { attempts: 4 }, 5, DEFAULT],
    ["a block without attempts switches retries off", { retryOn: "5xx" }, 1, "5xx"],
    ["attempts 0 switches retries off", { attempts: 0 }, 1, DEFAULT],
    ["blanks in retryOn are no part of it", { attempts: 1, retryOn: "5xx, reset,," }, 2, "5xx,reset"],
  ])("%s", (_, spec, maxAttempts, tokens) => {
    const policy = compileRetry(spec, 0);
    expect([policy.maxAttempts, policy.tokens.join()]).toEqual([maxAttempts, tokens]);
  });

  it("reads numbers as statuses", () => {
    const policy = compileRetry({ attempts: 1, retryOn: "503,gateway-error,429" }, 0);
    expect([...policy.statusCodes]).toEqual([503, 429]);
    expect([...policy.on]).toEqual(["gateway-error", "retriable-status-codes"]);
  });

  it.each<[string, HttpRetrySpec | undefined, number, boolean, Partial<RetryPolicy>]>([
    [
      "a perTryTimeout that is not shorter than the timeout",
      { attempts: 1, perTryTimeout: "2s" },
      2_000,
      false,
      { perTryTimeoutMs: 0 },
    ],
    ["one that is", { attempts: 1, perTryTimeout: "1s" }, 2_000, false, { perTryTimeoutMs: 1_000 }],
    ["one without a timeout", { attempts: 1, perTryTimeout: "1s" }, 0, false, { perTryTimeoutMs: 1_000 }],
    ["backoff", { attempts: 1, backoff: "100ms" }, 0, false, { backoffBaseMs: 100, backoffMaxMs: 1_000 }],
    ["backoff by default", undefined, 0, false, { backoffBaseMs: 25, backoffMaxMs: 250 }],
    ["any locality", { attempts: 1 }, 0, false, { retryRemoteLocalities: false }],
    ["other localities", { attempts: 1, retryRemoteLocalities: true }, 0, false, { retryRemoteLocalities: true }],
    ["other hosts", undefined, 0, false, { avoidPreviousHosts: true }],
    ["the same host under a hash", { attempts: 1 }, 0, true, { avoidPreviousHosts: false }],
    [
      "as policy says, hash or not",
      { attempts: 1, retryIgnorePreviousHosts: true },
      0,
      true,
      { avoidPreviousHosts: true },
    ],
  ])("%s", (_, spec, timeoutMs, hashed, expected) => {
    expect(compileRetry(spec, timeoutMs, hashed)).toMatchObject(expected);
  });
});
