import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { heldByCount } from "./held-socket.js";

const server = createServer((peer) => peer.on("error", () => {}).resume());
let one: Socket;
let other: Socket;

beforeAll(async () => {
  await once(server.listen(0, "127.0.0.1"), "listening");
});

afterAll(() => void server.close());

beforeEach(async () => {
  [one, other] = await Promise.all([connected(), connected()]);
  return () => {
    one.destroy();
    other.destroy();
  };
});

async function connected(): Promise<Socket> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  await once(socket, "connect");
  return socket;
}

/** What keeps the process alive beside sockets of this test's server and what vitest has of its own. */
function holders(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
}

it("holds the process while one of the connections is in use", () => {
  const before = holders();
  heldByCount(one);
  expect(holders()).toBe(before + 1);
  one.unref().unref();
  expect(holders()).toBe(before);
  heldByCount(other);
  one.ref().ref();
  other.unref();
  expect(holders()).toBe(before + 1);
  one.unref();
  expect(holders()).toBe(before);
});

it("lets go with a connection that closes with a request on it, for good", async () => {
  const before = holders();
  heldByCount(one);
  const closed = once(one, "close");
  one.destroy();
  await closed;
  expect(holders()).toBe(before);
  one.ref();
  expect(holders()).toBe(before);
});

it("keeps none of the sockets themselves in the way of an end", () => {
  const sockets = (): number => process.getActiveResourcesInfo().filter((kind) => kind === "TCPSocketWrap").length;
  const before = sockets();
  heldByCount(one);
  expect(sockets()).toBe(before - 1);
  one.unref();
  one.ref();
  expect(sockets()).toBe(before - 1);
  one.unref();
});
