/**
 * What looking at connections costs a server: requests in plaintext on kept connections, connections with one request each,
 * and the event loop of a server to which 200 callers come back at once. Callers are another process; CPU and delays are
 * the server's.
 */

import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { Agent, createServer, get, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { connect } from "node:tls";
import { fileURLToPath } from "node:url";
import { type Credentials, Engine, type Identity, SnapshotStore, systemClock } from "@inmesh/core";
import { attachServer, Inbound, ServerSecurity, Servers } from "@inmesh/http/server";
import { parseSpiffeId } from "@inmesh/model";
import { Authority, type Leaf } from "@inmesh-test/identity/peer";
import { type PairedRow, paired, type Variant } from "../lib/paired.js";
import { forkPinned, measureApart, OTHER_CPU, PINNING } from "../lib/pinned.js";
import { snapshot } from "../lib/policy.js";
import { type Spread, spread } from "../lib/stats.js";
import { type Report, type Row, show } from "../lib/table.js";
import { BODY } from "../lib/upstream.js";

const MODULE = fileURLToPath(import.meta.url);
const IN_FLIGHT = 16;
const CALLERS = 200;
const STORMS = 5;

interface Order {
  readonly port: number;
  readonly count: number;
  /** Each request has a connection of its own. */
  readonly anew: boolean;
  /** All at once, over TLS, one request each. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
}

interface Measured {
  readonly kept: readonly PairedRow[];
  readonly anew: readonly PairedRow[];
  readonly storms: readonly {
    readonly what: string;
    readonly p99Ms: Spread;
    readonly maxMs: Spread;
    readonly ms: Spread;
  }[];
}

export async function serverSecurity(): Promise<Report> {
  const { kept, anew, storms } = await measureApart<Measured>(MODULE, ["measure"]);
  const rows = ({ name, cpuUs, ratio, addedUs }: PairedRow): Row => {
    return { what: name, "CPU us": show(cpuUs, 1), ratio: show(ratio, 3), "added us": show(addedUs, 1) };
  };
  return {
    bench: "servers that look at their connections, 865 B JSON",
    rows: [
      ...kept.map(rows),
      ...anew.map(rows),
      ...storms.map(({ what, p99Ms, maxMs, ms }) => ({
        what,
        "loop p99 ms": show(p99Ms, 1),
        "loop max ms": show(maxMs, 1),
        "all served after ms": show(ms, 0),
      })),
    ],
    notes: [
      "goals: PERMISSIVE costs nothing per request; loop p99 <= 50 ms while 200 callers come back at once",
      `${IN_FLIGHT} in flight; median and quartiles of paired slices, of ${STORMS} storms`,
      PINNING,
    ],
  };
}

function meshed(identity: Identity | undefined): (server: Server) => Server {
  const store = new SnapshotStore();
  const engine = new Engine({ store });
  const security = new ServerSecurity({ clock: systemClock, snapshots: store, identity });
  const inbound = new Inbound(engine, security);
  store.publish(snapshot([], []));
  const servers = new Servers({ inbound, clock: systemClock, security });
  return (server) => attachServer(server, servers);
}

/** Believes whom TLS has believed: how long the look at a certificate takes is another row. */
function identityOf(leaf: Leaf, root: string, name: string): Identity {
  const self = parseSpiffeId(`spiffe://cluster.local/ns/shop/sa/${name}`)!;
  const credentials: Credentials = {
    ...{ generation: 1, self, certificateChain: leaf.chain, privateKey: leaf.key },
    ...{ bundles: new Map([["cluster.local", [root]]]), notBefore: 0, notAfter: Number.POSITIVE_INFINITY },
  };
  return {
    current: credentials,
    status: { state: "ready", source: "a benchmark" },
    ready: () => Promise.resolve(credentials),
    subscribe: () => () => {},
    verifyPeer: () => ({ peer: self }),
    close: () => Promise.resolve(),
  };
}

async function listen(server: Server): Promise<number> {
  server.keepAliveTimeout = 60_000;
  await once(server.listen(0, "127.0.0.1"), "listening");
  return (server.address() as AddressInfo).port;
}

function plainServer(): Server {
  return createServer((_, response) => {
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(BODY) });
    response.end(BODY);
  });
}

async function ask(child: ChildProcess, order: Order): Promise<number> {
  const answer = once(child, "message");
  child.send(order);
  const [ms] = await answer;
  return ms as number;
}

async function measure(): Promise<Measured> {
  using authority = new Authority({ trustDomain: "cluster.local", intermediate: true });
  const [own, caller] = [authority.workload("cart"), authority.workload("web")];
  const child = forkPinned(MODULE, ["call"], OTHER_CPU, []);
  const identity = identityOf(own, authority.root, "cart");
  const ports = {
    off: await listen(meshed(undefined)(plainServer())),
    permissive: await listen(meshed(identity)(plainServer())),
  };
  const variants = (anew: boolean): [Variant, Variant] => {
    const run = (port: number) => async (count: number) => void (await ask(child, { port, count, anew }));
    const what = anew ? "a connection with one request" : "a request on a kept connection";
    return [
      { name: `${what}, no identity`, run: run(ports.off) },
      { name: `${what}, PERMISSIVE`, run: run(ports.permissive) },
    ];
  };
  const [off, permissive] = variants(false);
  const kept = await paired(off, [permissive], { rounds: 30, slice: 2_000, warmUp: 4_000 });
  const [offAnew, permissiveAnew] = variants(true);
  const anew = await paired(offAnew, [permissiveAnew], { rounds: 30, slice: 1_000, warmUp: 2_000 });
  const options = { cert: own.chain, key: own.key, ca: authority.root, requestCert: true };
  const tls = { cert: caller.chain, key: caller.key, ca: authority.root };
  const bare = createSecureServer(options, (_, response) => response.end(BODY)) as unknown as Server;
  const storms = [
    await storm(`${CALLERS} callers at once, node:https`, await listen(bare), child, tls),
    await storm(`${CALLERS} callers at once, the mesh`, ports.permissive, child, tls),
  ];
  child.kill();
  return { kept, anew, storms };
}

async function storm(what: string, port: number, child: ChildProcess, tls: Order["tls"]) {
  const found = { p99Ms: [] as number[], maxMs: [] as number[], ms: [] as number[] };
  for (let turn = 0; turn < STORMS; turn++) {
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    found.ms.push(await ask(child, { port, count: CALLERS, anew: true, ...(tls && { tls }) }));
    delay.disable();
    found.p99Ms.push(delay.percentile(99) / 1e6);
    found.maxMs.push(delay.max / 1e6);
  }
  return { what, p99Ms: spread(found.p99Ms), maxMs: spread(found.maxMs), ms: spread(found.ms) };
}

// ---- the callers ----

function request(port: number, agent: Agent | false): Promise<void> {
  return new Promise((resolve, reject) => {
    get({ port, host: "127.0.0.1", agent }, (response) => response.resume().on("end", resolve)).on("error", reject);
  });
}

function requestOverTls(port: number, tls: NonNullable<Order["tls"]>): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, ...tls, checkServerIdentity: () => undefined });
    socket.on("error", reject).resume().on("close", resolve);
    socket.write("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n");
  });
}

async function obey({ port, count, anew, tls }: Order): Promise<number> {
  const startedAt = performance.now();
  if (tls !== undefined) {
    await Promise.all(Array.from({ length: count }, () => requestOverTls(port, tls)));
    return performance.now() - startedAt;
  }
  const agent = anew ? false : KEPT;
  let left = count;
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      while (left-- > 0) await request(port, agent);
    }),
  );
  return performance.now() - startedAt;
}

const KEPT = new Agent({ keepAlive: true, maxSockets: IN_FLIGHT });

if (process.send !== undefined && process.argv[2] === "call") {
  process.on("message", (order: Order) => void obey(order).then((ms) => process.send?.(ms)));
} else if (process.send !== undefined && process.argv[2] === "measure" && process.argv[1] === MODULE) {
  process.send(await measure(), () => process.exit()); // its servers listen on
}
