/**
 * The admin endpoint of a process: a server of its own on loopback, kept out of the mesh, that never keeps the process
 * alive and is published in the lease.
 */

import { chmod, unlink } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { MeshError, messageOf } from "@inmesh/core";
import { exemptServer } from "@inmesh/http/server";
import type { DataPlane } from "../plane/data-plane.js";
import { writeMetrics } from "../telemetry/write-metrics.js";
import { bind, splitAddress } from "./bind.js";
import { judgeAccess, judgeStranger } from "./guard.js";
import { failedPage, type Page } from "./page.js";
import { findPage, tellsHealth } from "./pages.js";
import { TAP } from "./tap-page.js";

export interface AdminServer {
  /** `http://127.0.0.1:4711` or `unix:/path`. */
  readonly url: string;
  close(): Promise<void>;
}

/** @throws {NodeJS.ErrnoException} when its address cannot be bound */
export async function openAdmin(plane: DataPlane): Promise<AdminServer> {
  const { admin } = plane.settings;
  const path = admin.startsWith("unix:") ? admin.slice("unix:".length) : undefined;
  const server = exemptServer(createServer({ keepAliveTimeout: 5_000 }));
  const bound = path === undefined ? await bind(server, admin) : await listenPath(server, path);
  const names = new Set([splitAddress(admin).host.toLowerCase()]);
  const token = plane.settings.adminToken;
  server.on("request", (request, response) => {
    const refusal = judgeAccess(request.method ?? "GET", request.headers, { port: bound?.port ?? 0, names });
    if (refusal !== undefined) return send(response, request, failedPage(refusal.status, refusal.reason));
    const url = urlOf(request);
    if (url === undefined) return send(response, request, failedPage(400, "the request's target is no path"));
    const stranger = path === undefined && !tellsHealth(url.pathname) ? judgeStranger(request, token) : undefined;
    if (stranger !== undefined) return send(response, request, failedPage(stranger.status, stranger.reason));
    void pageOf(plane, request, url).then((page) => send(response, request, page));
  });
  server.on("connection", (socket) => socket.unref());
  server.unref();
  return {
    url: bound === undefined ? `unix:${path}` : `http://${bracketed(bound.address)}:${bound.port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function pageOf(plane: DataPlane, request: IncomingMessage, url: URL): Promise<Page> {
  try {
    const { method = "GET" } = request;
    if (method === "GET" && url.pathname === TAP) return plane.taps.open(plane, url.searchParams, wantsText(request));
    return await findPage(plane, method, url);
  } catch (error) {
    const status = error instanceof MeshError ? (error.code === "CONFIG_INVALID" ? 400 : error.status) : 500;
    return failedPage(status, messageOf(error));
  }
}

function urlOf({ url = "/" }: IncomingMessage): URL | undefined {
  return URL.canParse(url, "http://admin") ? new URL(url, "http://admin") : undefined;
}

const COMMON = { "cache-control": "no-store", "x-content-type-options": "nosniff" } as const;

function send(response: ServerResponse, request: IncomingMessage, page: Page): void {
  if (response.destroyed) return;
  if (page.pieces !== undefined) {
    void page
      .pieces(request.headers.accept ?? "")
      .then((found) => writeMetrics(response, found, request.method === "HEAD"))
      .catch(() => response.destroy());
    return;
  }
  if (page.stream !== undefined && request.method !== "HEAD") {
    const { type, run } = page.stream;
    response.writeHead(page.status, { "content-type": type, ...COMMON });
    response.flushHeaders();
    return run(response);
  }
  const { type, content } = rendered(request, page);
  response.writeHead(page.status, {
    "content-type": type,
    "content-length": Buffer.byteLength(content),
    ...COMMON,
  });
  response.end(request.method === "HEAD" ? undefined : content);
}

/** A person at a terminal gets lines where there are any, programs get JSON; `?format=` says otherwise. */
function rendered(request: IncomingMessage, { body, text, bytes }: Page): NonNullable<Page["bytes"]> {
  if (bytes !== undefined) return bytes;
  if (wantsText(request) && text !== undefined) return { type: "text/plain; charset=utf-8", content: text() };
  const content = `${JSON.stringify(body, undefined, isPerson(request) ? 2 : undefined)}\n`;
  return { type: "application/json; charset=utf-8", content };
}

function wantsText(request: IncomingMessage): boolean {
  return (urlOf(request)?.searchParams.get("format") ?? (isPerson(request) ? "text" : "json")) === "text";
}

function isPerson({ headers }: IncomingMessage): boolean {
  return headers["user-agent"]?.startsWith("curl/") === true;
}

/** For this user only. A socket left over by a killed process is replaced. */
async function listenPath(server: Server, path: string): Promise<undefined> {
  await unlink(path).catch(() => {});
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ path, exclusive: true }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  await chmod(path, 0o600);
}

/** What a caller on this machine writes: every address of it is also loopback. */
function bracketed(address: string): string {
  if (address === "0.0.0.0") return "127.0.0.1";
  if (address === "::") return "[::1]";
  return address.includes(":") ? `[${address}]` : address;
}
