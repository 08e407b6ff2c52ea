/**
 * Preloaded where a suite runs inside the mesh: a server that asks for any free port gets one that the mesh's config
 * declares. A mesh knows services by port, and the system's own choice could be none of them.
 */

import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { registeredMesh } from "@inmesh/node";
import { RANGES } from "./ranges.js";

type Listen = (this: net.Server, ...args: unknown[]) => net.Server;

const listen = net.Server.prototype.listen as Listen;
const plainHttp2 = Object.getPrototypeOf(http2.createServer()).constructor as new () => net.Server;
let given = process.pid * 41; // processes that run at the same time start apart

function nextPort(server: net.Server): number {
  const protocol = server instanceof tls.Server ? "HTTPS" : server instanceof plainHttp2 ? "HTTP2" : "HTTP";
  const { first, size } = RANGES[protocol];
  for (let tries = 0; tries < size; tries++) {
    given += 1;
    const port = first + (given % size);
    if (isFree(port)) return port;
  }
  throw new Error(`none of the ${size} ports for ${protocol} is free`);
}

/** Another process of the suite may have it. A port is bound, and given back, before these calls return. */
function isFree(port: number): boolean {
  const probe = new net.Server().on("error", () => {});
  listen.call(probe, port);
  const free = (probe as net.Server & { _handle: unknown })._handle !== null;
  probe.close();
  return free;
}

function withPort(server: net.Server, args: readonly unknown[]): unknown[] {
  const [first, ...rest] = args;
  if (args.length === 0 || typeof first === "function") return [nextPort(server), ...args];
  if (first === null || first === undefined || first === 0 || first === "0") return [nextPort(server), ...rest];
  if (typeof first !== "object") return [...args];
  const { port, path, fd, handle, _handle } = first as Record<string, unknown>;
  const elsewhere = [path, fd, handle, _handle].some((each) => each !== undefined);
  const any = (port === 0 || port === "0" || port === undefined || port === null) && "port" in first;
  return any && !elsewhere ? [{ ...first, port: nextPort(server) }, ...rest] : [...args];
}

net.Server.prototype.listen = function (this: net.Server, ...args: unknown[]) {
  return listen.apply(this, withPort(this, args));
} as typeof net.Server.prototype.listen;

// Loopback does not wait for a first snapshot: calls made before it would go past the mesh and prove nothing.
await registeredMesh()?.ready();
