import { FakeClock } from "@inmesh/core/testing";
import { expect, it } from "vitest";
import type { LineSink, SinkFault } from "./line-sink.js";
import { LineWriter } from "./line-writer.js";

class Sink implements LineSink {
  readonly name = "sink";
  readonly chunks: string[] = [];
  fault: SinkFault | undefined;
  /** Writes that wait; undefined: they end at once. */
  held: (() => void)[] | undefined;

  async write(chunk: string): Promise<SinkFault | undefined> {
    if (this.held !== undefined) await new Promise<void>((resolve) => this.held!.push(resolve)); // as asked the line above
    if (this.fault === undefined) this.chunks.push(chunk);
    return this.fault;
  }
  writeNow(chunk: string): void {
    this.chunks.push(chunk);
  }
  async close(): Promise<void> {}
}

function writerTo(sink: Sink, bound?: number) {
  const clock = new FakeClock();
  const notices: string[] = [];
  const onNotice = (message: string): void => void notices.push(message);
  return { clock, notices, writer: new LineWriter({ sink, clock, onNotice, ...(bound && { bound }) }) };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it("writes after a second, in one chunk", async () => {
  const sink = new Sink();
  const { clock, writer } = writerTo(sink);
  writer.write("a\n");
  writer.write("b\n");
  await clock.advance(999);
  expect(sink.chunks).toEqual([]);
  await clock.advance(1);
  await settled();
  expect(sink.chunks).toEqual(["a\nb\n"]);
  expect(writer.written).toBe(2);
});

it("writes sooner when much has come together, and never within the request", async () => {
  const sink = new Sink();
  const { clock, writer } = writerTo(sink);
  const line = `${"x".repeat(1_023)}\n`;
  for (let count = 0; count < 64; count++) writer.write(line);
  expect(sink.chunks).toEqual([]);
  await clock.advance(0);
  await settled();
  expect(sink.chunks).toHaveLength(1);
});

it("drops and counts what a slow reader does not take, and says so once it goes on", async () => {
  const sink = new Sink();
  sink.held = [];
  const { clock, writer, notices } = writerTo(sink, 100);
  writer.write("first\n");
  await clock.advance(1_000);
  for (let count = 0; count < 1_000; count++) writer.write("0123456789\n");
  expect(writer.dropped).toBe(1_000 - 9);
  sink.held[0]!(); // the write that is under way
  sink.held = undefined;
  await settled();
  expect(notices).toEqual(["access log sink: 991 lines were dropped because they were not taken in time"]);
  await clock.advance(1_000);
  await settled();
  expect(sink.chunks.join("").split("\n")).toHaveLength(11);
});

it("tries a full disk again, less and less often, and tells of it once", async () => {
  const sink = new Sink();
  sink.fault = { message: "no space left on the device (ENOSPC)", dead: false, lost: 1 };
  const { clock, writer, notices } = writerTo(sink);
  for (let second = 0; second < 10; second++) {
    writer.write("lost\n");
    await clock.advance(1_000);
    await settled();
  }
  expect(notices).toHaveLength(1);
  expect(notices[0]).toContain("no space left");
  sink.fault = undefined;
  await clock.advance(30_000);
  await settled();
  writer.write("there again\n");
  await clock.advance(1_000);
  await settled();
  expect(sink.chunks.at(-1)).toContain("there again");
});

it("gives up on a pipe that nobody will read again, without keeping anything", async () => {
  const sink = new Sink();
  sink.fault = { message: "write EPIPE", dead: true, lost: 1 };
  const { clock, writer, notices } = writerTo(sink);
  writer.write("a\n");
  await clock.advance(1_000);
  await settled();
  sink.fault = undefined;
  writer.write("b\n");
  await clock.advance(60_000);
  await settled();
  expect(sink.chunks).toEqual([]);
  expect(writer.dropped).toBe(2);
  expect(notices).toEqual(["access log sink: write EPIPE; it is not written there any more, requests go on"]);
});

it("flush waits for all of it, but not longer than it may", async () => {
  const sink = new Sink();
  const { clock, writer } = writerTo(sink);
  writer.write("a\n");
  await Promise.all([writer.flush(100), writer.flush(100)]);
  expect(sink.chunks).toEqual(["a\n"]);
  sink.held = [];
  writer.write("b\n");
  const flushed = writer.flush(100);
  await clock.advance(100);
  await flushed;
  expect(sink.chunks).toEqual(["a\n"]);
});

it("writes what is left while the process exits", () => {
  const sink = new Sink();
  const { writer } = writerTo(sink);
  writer.write("last\n");
  writer.writeNow();
  expect(sink.chunks).toEqual(["last\n"]);
});
