/**
 * Requests that ask whether the process is well. They are never turned away: an orchestrator that gets no answer kills a
 * process that has only too much to do, and the others get its load. By path and not by a header, which anybody could send.
 */

import { clusterName, type MatchRequest, type Snapshot } from "@inmesh/model";
import { withoutQuery } from "../call/without-query.js";

/** What frameworks and orchestrators use; the last is gRPC's own (grpc.health.v1). */
const COMMON = [
  "/health",
  "/healthz",
  "/livez",
  "/readyz",
  "/health/live",
  "/health/ready",
  "/-/healthy",
  "/-/ready",
  "/grpc.health.v1.Health/Check",
];
const METHODS = new Set(["GET", "HEAD", "POST"]);
const GRPC = "POST";

/** @returns paths without query: the common ones, and those of health checks that policy has for the process's own service */
export function healthPaths(snapshot: Snapshot): ReadonlySet<string> {
  const paths = new Set(COMMON);
  const { client, mesh } = snapshot;
  const host = `${client.service}.${client.namespace}.svc.${mesh.domain}`;
  for (const { number } of snapshot.services.get(host)?.ports ?? []) {
    const check = snapshot.cluster(clusterName(number, "", host))?.policy.healthCheck;
    if (check?.kind === "http") paths.add(withoutQuery(check.path));
  }
  return paths;
}

export function asksForHealth({ method, path }: MatchRequest, paths: ReadonlySet<string>): boolean {
  if (!METHODS.has(method)) return false;
  const plain = withoutQuery(path);
  return paths.has(plain) && (method === GRPC) === plain.startsWith("/grpc.");
}
