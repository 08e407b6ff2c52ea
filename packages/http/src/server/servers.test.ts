import { once } from "node:events";
import { Agent, createServer, get, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { type Clock, Contexts, systemClock } from "@inmesh/core";
import { TimerWheel } from "@inmesh/core/internal";
import { FakeClock } from "@inmesh/core/testing";
import { afterEach, describe, expect, it } from "vitest";
import { Inbound } from "./inbound.js";
import { exemptServer, patchServers } from "./patch-servers.js";
import { type Listener, Servers } from "./servers.js";

const ON = { inForce: true, onlyObserves: false };

const undos: (() => void)[] = [];
afterEach(() => {
  for (const undo of undos.splice(0)) undo();
});

function mesh(clock: Clock = systemClock) {
  const inbound = new Inbound({
    clock,
    wheel: new TimerWheel(clock),
    contexts: new Contexts(),
    ...ON,
  });
  const changes: (readonly Listener[])[] = [];
  const servers = new Servers({ inbound, clock, onChange: (listeners) => changes.push(listeners) });
  return { inbound, servers, changes };
}

async function listen<Any extends Server>(server: Any): Promise<number> {
  undos.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

function ask(port: number, agent: Agent | false): Promise<{ status: number; connection: string | undefined }> {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", agent }, (response) => {
      response
        .resume()
        .on("end", () => resolve({ status: response.statusCode ?? 0, connection: response.headers.connection }));
    }).on("error", reject);
  });
}

function deferred<Value>(): { readonly promise: Promise<Value>; readonly resolve: (value: Value) => void } {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

describe("patchServers", () => {
  it("knows the servers of the process in order of listening, until they close", async () => {
    const { servers, changes } = mesh();
    const early = createServer();
    undos.push(patchServers(servers));
    const secure = createSecureServer();
    const ports = [await listen(early), await listen(secure)];
    expect(servers.listeners).toEqual([
      { port: ports[0], address: "127.0.0.1", protocol: "http" },
      { port: ports[1], address: "127.0.0.1", protocol: "https" },
    ]);
    early.close();
    expect(servers.listeners).toHaveLength(1); // at once: it takes no connection any more
    expect(changes.map((listeners) => listeners.length)).toEqual([1, 2, 1]);
  });

  it("does not see exempt servers", async () => {
    const { servers, inbound } = mesh();
    undos.push(patchServers(servers));
    const port = await listen(exemptServer(createServer((_, response) => response.end())));
    await ask(port, false);
    expect([servers.listeners, inbound.read().requests]).toEqual([[], 0]);
  });

  it("puts everything back", async () => {
    const { prototype } = createServer().constructor as typeof Server;
    const before = [Object.hasOwn(prototype, "emit"), prototype.emit, prototype.close];
    const { servers, inbound } = mesh();
    patchServers(servers)();
    expect([Object.hasOwn(prototype, "emit"), prototype.emit, prototype.close]).toEqual(before);
    await ask(await listen(createServer((_, response) => response.end())), false);
    expect(inbound.read().requests).toBe(0);
  });

  it("goes quiet under a later patch of somebody else", async () => {
    const { prototype } = createServer().constructor as typeof Server;
    const { servers, inbound } = mesh();
    const undo = patchServers(servers);
    const ours = prototype.emit;
    prototype.emit = function (this: Server, ...args: Parameters<typeof ours>) {
      return ours.apply(this, args);
    } as typeof ours;
    undo();
    await ask(await listen(createServer((_, response) => response.end())), false);
    expect(inbound.read().requests).toBe(0);
    delete (prototype as Partial<Server>).emit;
  });

  it("leaves the error of a port in use to the application", async () => {
    const { servers } = mesh();
    undos.push(patchServers(servers));
    const port = await listen(createServer());
    const second = createServer();
    second.listen(port, "127.0.0.1");
    const [error] = await once(second, "error");
    expect(error).toMatchObject({ code: "EADDRINUSE" });
    expect(servers.listeners.map((listener) => listener.port)).toEqual([port]);
  });

  it("serves two meshes of one process, each with its own count and context", async () => {
    const one = mesh();
    const two = mesh();
    undos.push(patchServers(one.servers), patchServers(two.servers));
    await ask(await listen(createServer((_, response) => response.end())), false);
    expect([one.inbound.read().requests, two.inbound.read().requests]).toEqual([1, 1]);
  });
});

describe("Servers.close", () => {
  async function drained(app: RequestListener, clock?: Clock) {
    const { servers, inbound } = mesh(clock);
    undos.push(patchServers(servers));
    const server = createServer(app);
    const port = await listen(server);
    return { servers, inbound, server, port };
  }

  it("finishes requests in flight, asks their callers to leave, and closes idle connections", async () => {
    const release = deferred<void>();
    const { servers, inbound, server, port } = await drained(async (message, response) => {
      if (message.url === "/") await release.promise;
      response.end();
    });
    const agent = new Agent({ keepAlive: true });
    const idle = new Agent({ keepAlive: true });
    await new Promise((resolve) =>
      get({ port, host: "127.0.0.1", path: "/quick", agent: idle }, (response) => response.resume().on("end", resolve)),
    );
    const slow = ask(port, agent);
    while (inbound.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = once(server, "close");
    const cut = servers.close(AbortSignal.timeout(5_000));
    expect(servers.listeners).toEqual([]);
    release.resolve();
    expect(await slow).toEqual({ status: 200, connection: "close" });
    expect(await cut).toBe(0);
    await closed; // both connections are gone: nobody waits for a keep-alive timeout
    await expect(ask(port, false)).rejects.toMatchObject({ code: "ECONNREFUSED" });
  });

  it("answers a request that had arrived and was not read yet, on a connection that looked idle", async () => {
    const { servers, port } = await drained((_, response) => response.end("served"));
    const socket = connect(port, "127.0.0.1");
    const answers: string[] = [];
    socket.on("data", (chunk) => answers.push(String(chunk)));
    const send = () => socket.write("GET / HTTP/1.1\r\nhost: a\r\n\r\n"); // reaches the system's buffers at once
    send();
    await once(socket, "data");
    send();
    const cut = servers.close(AbortSignal.timeout(5_000));
    await once(socket, "close");
    expect(answers.map((answer) => answer.slice(0, 12))).toEqual(["HTTP/1.1 200", "HTTP/1.1 200"]);
    expect(await cut).toBe(0);
  });

  it("answers a request that arrived on a kept connection in the moment in which the last one ended", async () => {
    const release = new Map<string, () => void>();
    const { servers, port } = await drained((message, response) => {
      if (message.url === "/late") return response.end("late");
      response.write("begun "); // its head is out: it cannot ask its caller to leave any more
      release.set(message.url ?? "", () => response.end("done"));
    });
    const sockets = ["/a", "/b"].map((path) => {
      const socket = connect(port, "127.0.0.1");
      socket.setEncoding("latin1").write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
      return { socket, text: "" };
    });
    for (const each of sockets) {
      each.socket.on("data", (chunk) => {
        each.text += chunk;
      });
    }
    const [a, b] = sockets as [(typeof sockets)[0], (typeof sockets)[0]];
    const until = async (look: () => boolean) => {
      while (!look()) await new Promise((resolve) => setImmediate(resolve));
    };
    await until(() => a.text.includes("begun ") && b.text.includes("begun "));
    const cut = servers.close(AbortSignal.timeout(5_000));
    await new Promise((resolve) => setTimeout(resolve, 20)); // it waits for the two by now
    release.get("/b")?.();
    await until(() => b.text.includes("done"));
    b.socket.write("POST /late HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"); // in the system's buffers at once
    release.get("/a")?.();
    expect(await cut).toBe(0);
    await until(() => b.socket.closed || b.text.endsWith("late"));
    expect(b.text).toMatch(/late$/);
  });

  it("answers the first request of a connection that was made before, though its caller is slow", async () => {
    const { servers, server, port } = await drained((_, response) => response.end("served"));
    const socket = connect(port, "127.0.0.1");
    await once(server, "connection");
    const cut = servers.close(AbortSignal.timeout(5_000));
    let over = false;
    void cut.then(() => {
      over = true;
    });
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(over).toBe(false);
    socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*Connection: close[\s\S]*served$/);
    expect(await cut).toBe(0);
  });

  it("leaves idle connections to their callers for a moment, so that a request that is on its way is served", async () => {
    const { servers, port } = await drained((_, response) => response.end("served"));
    const socket = connect(port, "127.0.0.1");
    const send = () => socket.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n");
    send();
    await once(socket, "data");
    const cut = servers.close(AbortSignal.timeout(5_000));
    await new Promise((resolve) => setTimeout(resolve, 250)); // its caller has not heard of the end
    send();
    const [answer] = await once(socket, "data");
    expect(String(answer)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*Connection: close[\s\S]*served$/);
    expect(await cut).toBe(0);
  });

  it("answers a request that arrives on an idle connection in the very turn in which it was to be closed", async () => {
    const clock = new FakeClock();
    const held = deferred<() => void>();
    const { servers, port } = await drained((message, response) => {
      if (message.url !== "/held") return response.end("served");
      response.write("begun");
      held.resolve(() => response.end("done"));
    }, clock);
    const send = (path: string) => {
      const socket = connect(port, "127.0.0.1").setEncoding("latin1");
      socket.write(`GET ${path} HTTP/1.1\r\nhost: a\r\n\r\n`);
      return socket;
    };
    const [idle, busy] = [send("/"), send("/held")];
    await Promise.all([once(idle, "data"), once(busy, "data")]);
    const finish = await held.promise;
    const cut = servers.close(AbortSignal.timeout(5_000));
    await expect.poll(() => clock.pending).toBeGreaterThan(0); // it looks for idle connections from now on
    const answer = once(idle, "data");
    busy.once("data", () => {
      // The system's look at all sockets is over; closing comes next.
      clock.advance(600);
      idle.write("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n"); // in the system's buffers at once
    });
    finish();
    expect(String(await answer)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*served$/);
    while (clock.pending > 0) {
      clock.step();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await cut).toBe(0);
  });

  it("cuts what is left when its time is over", async () => {
    const { servers, inbound, port } = await drained(() => {});
    const hanging = ask(port, false);
    while (inbound.inFlight === 0) await new Promise((resolve) => setImmediate(resolve));
    const controller = new AbortController();
    const cut = servers.close(controller.signal);
    controller.abort();
    expect(await cut).toBe(1);
    await expect(hanging).rejects.toMatchObject({ code: "ECONNRESET" });
  });

  it("lets the application close the same server again without an error", async () => {
    const { servers, server } = await drained(() => {});
    await servers.close(AbortSignal.timeout(1_000));
    expect(await new Promise((resolve) => server.close(resolve))).toBeUndefined();
  });
});
