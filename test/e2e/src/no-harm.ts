/** What must hold whenever processes die or are replaced, whatever the load. */

import { expect } from "vitest";
import { count, isFailed, isOrder, isPage, type LoggedRequest, type RequestLog } from "./request-log.js";

export function expectNoHarm({ requests, skipped }: RequestLog, phases: readonly string[]): void {
  for (const phase of phases) {
    const during = requests.filter((request) => request.phase === phase);
    const orders = during.filter(isOrder);
    expect(count(during, isPage), `pages in "${phase}"`).toBeGreaterThan(50);
    expect(reasons(during.filter((each) => isPage(each) && isFailed(each))), `failed pages in "${phase}"`).toEqual({});
    expect(
      count(orders, ({ executed }) => executed > 1),
      `orders executed twice in "${phase}"`,
    ).toBe(0);
    for (const order of orders) {
      // Answered and executed once; or unknown, and then it says why.
      if (!isFailed(order)) expect(order.executed).toBe(1);
      else expect(order.error).toMatch(/^UPSTREAM_RESET: .+/);
    }
  }
  expect(skipped).toBe(0);
}

/** How many failed with each answer, so that a failure on another machine tells what it was. */
function reasons(failed: readonly LoggedRequest[]): Record<string, number> {
  const found: Record<string, number> = {};
  for (const { status, error } of failed) {
    const reason = `${status} ${error}`;
    found[reason] = (found[reason] ?? 0) + 1;
  }
  return found;
}
