/** GET /tap: calls and requests while they happen, as Server-Sent Events; as lines for curl. Bounded in every direction. */

import type { Writable } from "node:stream";
import { MeshError } from "@inmesh/core";
import { statusTest, Tap, type TapFilter, tapBeginText, tapText } from "@inmesh/core/admin";
import type { DataPlane } from "../plane/data-plane.js";
import { failedPage, type Page } from "./page.js";

/** Of one process at a time. */
const MOST_WATCHERS = 8;
/** What a slow reader has not taken yet, in bytes; beyond, events are left out. */
const MOST_WAITING = 1024 * 1024;
/** Between two signs of life, in ms, so that proxies and readers know that it is there. */
const ALIVE_MS = 15_000;
const SECOND_MS = 1_000;

/** Where it is among the pages, from which it differs: it goes on, and each watcher is a place taken. */
export const TAP = "/tap";

/** Of one process. */
export class TapPage {
  #watchers = 0;

  /**
   * @param allowed asked every second: once it says no, the reader hears no more
   * @throws {MeshError} CONFIG_INVALID for a filter that is none
   */
  open(plane: DataPlane, query: URLSearchParams, asText: boolean, allowed: () => boolean = () => true): Page {
    const filter = filterOf(query);
    const most = mostOf(query);
    if (this.#watchers >= MOST_WATCHERS) return failedPage(429, `${this.#watchers} others watch already`);
    const closed = (): void => {
      this.#watchers -= 1;
    };
    return {
      status: 200,
      body: {},
      stream: {
        type: asText ? "text/plain; charset=utf-8" : "text/event-stream; charset=utf-8",
        run: (to) => {
          this.#watchers += 1;
          watch(plane, to, { filter, most, asText, allowed, closed });
        },
      },
    };
  }
}

interface Watch {
  readonly filter: TapFilter;
  /** Events after which it ends. */
  readonly most: number;
  readonly asText: boolean;
  readonly allowed: () => boolean;
  readonly closed: () => void;
}

function watch({ engine, clock, inbound }: DataPlane, response: Writable, of: Watch): void {
  const { filter, most, asText, allowed, closed } = of;
  let told = 0;
  let slow = 0;
  const write = (name: "begin" | "end", event: object, text: () => string): void => {
    if (told >= most) return;
    if (response.writableLength > MOST_WAITING) {
      slow += 1;
      return;
    }
    told += 1;
    response.write(asText ? `${text()}\n` : `event: ${name}\ndata: ${JSON.stringify(event)}\n\n`);
    if (told >= most) response.end();
  };
  const dropped = (count: number, why: string): void => {
    const text = asText
      ? `# ${count} left out: ${why}\n`
      : `event: dropped\ndata: ${JSON.stringify({ count, why })}\n\n`;
    response.write(text);
  };
  const tap = new Tap(clock, filter, {
    begin: (event) => write("begin", event, () => tapBeginText(event)),
    event: (event) => write("end", event, () => tapText(event)),
    dropped: (count) => {
      if (!response.writableEnded) dropped(count, "more than may be told in a second");
    },
  });
  const remove = engine.sinks.add(tap);
  let aliveAt = clock.now();
  const timer = clock.every(SECOND_MS, () => {
    if (response.writableEnded) return;
    if (!allowed()) return void response.end();
    tap.tellUnderWay(inbound.underWay());
    if (response.writableEnded) return; // it was the last one
    tap.tellDropped();
    if (slow > 0 && response.writableLength <= MOST_WAITING) {
      dropped(slow, "the reader is slow");
      slow = 0;
    }
    if (asText || clock.now() - aliveAt < ALIVE_MS) return;
    aliveAt = clock.now();
    response.write(": alive\n\n");
  });
  response.on("error", () => {}); // the reader is gone: "close" follows
  response.once("close", () => {
    remove();
    timer.cancel();
    closed();
  });
}

function filterOf(query: URLSearchParams): TapFilter {
  const direction = query.get("direction");
  if (direction !== null && direction !== "inbound" && direction !== "outbound") {
    throw new MeshError("CONFIG_INVALID", "direction is inbound or outbound");
  }
  const status = query.get("status");
  if (status !== null && statusTest(status) === undefined) {
    throw new MeshError("CONFIG_INVALID", "status is a number such as 503, a class such as 5xx, or error");
  }
  const [service, path, method] = ["service", "path", "method"].map((name) => query.get(name));
  return {
    ...(direction !== null && { direction }),
    ...(status !== null && { status }),
    ...(service && { service: service.toLowerCase() }),
    ...(path && { path }),
    ...(method && { method: method.toUpperCase() }),
  };
}

function mostOf(query: URLSearchParams): number {
  const max = query.get("max");
  if (max === null) return Number.POSITIVE_INFINITY;
  const most = Number(max);
  if (Number.isInteger(most) && most > 0) return most;
  throw new MeshError("CONFIG_INVALID", "max is a whole number, at least 1");
}
