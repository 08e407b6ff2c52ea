/** A server of its own for scrapers, on every address, that serves nothing else: Istio's port 15090. */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { exemptServer } from "@inmesh/http/server";
import type { ProcessMetrics } from "./metrics.js";
import { metricsFilter } from "./metrics-filter.js";
import { writeMetrics } from "./write-metrics.js";

const PATHS: ReadonlySet<string> = new Set(["/stats/prometheus", "/metrics"]);

/** @throws {NodeJS.ErrnoException} when the port cannot be bound */
export async function openMetricsPort(metrics: ProcessMetrics, port: number): Promise<{ close(): Promise<void> }> {
  const server = exemptServer(createServer({ keepAliveTimeout: 65_000 }));
  server.on("request", (request, response) => void answer(metrics, request, response));
  server.on("connection", (socket) => socket.unref());
  server.unref();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, exclusive: true }, () => {
      server.removeListener("error", reject);
      resolve();
    });
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(metrics: ProcessMetrics, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url: target = "/", method } = request;
  const url = URL.canParse(target, "http://metrics") ? new URL(target, "http://metrics") : undefined;
  if (method !== "GET" && method !== "HEAD") return refuse(response, 405, "metrics are read by GET");
  if (url === undefined || !PATHS.has(url.pathname)) return refuse(response, 404, "see /stats/prometheus");
  const filter = metricsFilter(url.searchParams);
  if (typeof filter === "string") return refuse(response, 400, filter);
  const usedOnly = url.searchParams.has("usedonly");
  const page = await metrics.scrape({ accept: request.headers.accept, usedOnly, ...filter });
  await writeMetrics(response, page, method === "HEAD");
}

function refuse(response: ServerResponse, status: number, why: string): void {
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${why}\n`);
}
