import { describe, expect, it } from "vitest";
import { Announcer } from "./announcer.js";
import { EventLog } from "./event-log.js";
import type { Member } from "./mesh-watch.js";

const member = (port: number, problems = 0, version = "v2") =>
  ({
    lease: {
      name: "shop.web.1",
      service: "web",
      pid: 7,
      ports: port === 0 ? [] : [{ number: port }],
      labels: { version },
    },
    info: { problems },
  }) as unknown as Member;

describe("Announcer", () => {
  it("tells once that a process is ready, and again after it was gone", () => {
    const events = new EventLog(() => 0);
    const announcer = new Announcer(events, "./mesh");
    for (const members of [[member(0)], [member(80)], [member(80)], [], [member(80)]]) announcer.look(members);
    expect(events.events.map(({ text }) => text)).toEqual(new Array(2).fill("web v2 (pid 7) is ready on port 80"));
  });

  it("tells how many problems a process has with the policy, whenever that changes", () => {
    const events = new EventLog(() => 0);
    const announcer = new Announcer(events, "./mesh");
    for (const problems of [1, 1, 2, 0, 2]) announcer.look([member(0, problems)]);
    expect(events.events.map(({ text }) => text)).toEqual([
      "web (pid 7) has a problem with the policy; see: inmesh analyze ./mesh",
      "web (pid 7) has 2 problems with the policy; see: inmesh analyze ./mesh",
      "web (pid 7) has 2 problems with the policy; see: inmesh analyze ./mesh",
    ]);
  });
});
