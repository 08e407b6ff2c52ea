/** A service as a person would tell of it. */

import { balancingText } from "@inmesh/core/admin";
import type { Route } from "@inmesh/model";
import type { Described } from "../describe/described-service.js";
import { callerLines } from "./callers-description.js";
import { count, formatMs } from "./format.js";
import { type Paint, printable } from "./paint.js";
import { problemLine, sortProblems } from "./problems.js";
import { serverLines } from "./server-description.js";

const TITLE_WIDTH = 11;

export function formatDescription(described: Described, paint: Paint): string {
  const { service, mode, problems, selectedBy, hiddenFrom, places } = described;
  const at = (key: string): string => `${key}${places[key] ? ` (${places[key]})` : ""}`;
  const lines: string[] = [paint("bold", printable(`${service.name} in namespace ${service.namespace}`))];
  const add = (title: string, texts: readonly string[]): void => {
    for (const [index, text] of texts.entries()) {
      lines.push(`  ${paint("bold", (index === 0 ? title : "").padEnd(TITLE_WIDTH))}${printable(text)}`);
    }
  };
  add("host", [`${service.host}, called as ${callNames(described)}`]);
  add("defined", [
    service.resource === "" ? "by its processes, which register themselves" : `by ${at(service.resource)}`,
  ]);
  add("ports", [portsText(described)]);
  add("runs", endpointLines(described));
  add(
    "suspects",
    described.suspects.map(
      ({ process, instances, of, forMs }) =>
        `${process} uses ${instances.length} of ${of} for ${formatMs(forMs)} more, which the registry lost all at once`,
    ),
  );
  for (const [index, { name, resource }] of described.virtualHosts.entries()) {
    const title = described.virtualHosts.length === 1 ? "rules" : `rules :${name.slice(name.lastIndexOf(":") + 1)}`;
    const head =
      resource === ""
        ? "no VirtualService: every call goes to any endpoint"
        : `of ${at(resource)}, the first that matches`;
    const routes = described.routes[index] ?? [];
    add(title, [head, ...routes.flatMap((route, order) => ruleLines(route, order + 1))]);
  }
  add("policy", policyLines(described, at));
  add("callers", callerLines(described.callers));
  if (described.server !== null) add("server", serverLines(described.server, at));
  if (selectedBy.length > 0)
    add(
      "selected",
      selectedBy.map((key) => `by ${at(key)}`),
    );
  add("seen", [
    hiddenFrom.length === 0
      ? "by every running process"
      : `by all but ${hiddenFrom.join(", ")}: see their Sidecar, and exportTo`,
  ]);
  if (mode !== "on") add("mode", [mode === "off" ? "off: rules and policy above are not in force" : mode]);
  if (problems.length === 0) add("problems", ["none"]);
  else
    lines.push(
      `  ${paint("bold", "problems")}`,
      ...sortProblems(problems).map((problem) => `    ${problemLine(problem, paint)}`),
    );
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

function callNames({ service: { name, namespace, host } }: Described): string {
  return host.startsWith(`${name}.${namespace}.svc.`)
    ? `http://${name}/ in its namespace, http://${name}.${namespace}/ elsewhere`
    : `http://${host}/`;
}

function portsText({ service: { ports, resource } }: Described): string {
  if (resource === "" && ports.length === 1)
    return `${ports[0]?.number}: the first port of each process; others by their numbers`;
  return ports
    .map(
      ({ number, name, protocol }) =>
        `${number}${protocol === "unknown" ? "" : ` ${protocol}`}${name === "" || name === protocol ? "" : ` (${name})`}`,
    )
    .join(", ");
}

function endpointLines({ endpoints }: Described): string[] {
  if (endpoints.length === 0) return ["nowhere: calls get 503 until one of its processes starts"];
  const byVersion = new Map<string, string[]>();
  for (const { id, version, workloads } of endpoints) {
    const list = byVersion.get(version) ?? [];
    list.push(
      workloads[0] === undefined
        ? id
        : `${id} (${workloads[0].split(".").at(-1)}${workloads.length > 1 ? ` and ${workloads.length - 1} more` : ""})`,
    );
    byVersion.set(version, list);
  }
  return [
    `at ${count(endpoints.length, "endpoint")}`,
    ...[...byVersion].map(([version, list]) => `  ${version === "" ? "no version" : version}: ${list.join(", ")}`),
  ];
}

function ruleLines(route: Route, order: number): string[] {
  const when = route.matches.length === 0 ? "everything" : route.matches.map(({ text }) => text).join(", or ");
  const parts = [
    route.timeoutMs === 0 ? "no timeout" : `timeout ${formatMs(route.timeoutMs)}`,
    retriesText(route),
    ...extras(route),
  ];
  return [
    `  ${order} ${route.name === "" ? "" : `"${route.name}": `}${when}`,
    `      ${actionText(route)}; ${parts.join("; ")}`,
  ];
}

function actionText({ action }: Route): string {
  if (action.kind === "redirect") return `is redirected with ${action.status}`;
  if (action.kind === "directResponse") return `is answered ${action.status} by the mesh`;
  const { destinations, totalWeight } = action;
  const targets = destinations.map(({ host, port, subset, weight }) => {
    const inside = host.indexOf(".svc.");
    const name = `${inside < 0 ? host : host.slice(0, inside)}:${port}${subset === "" ? "" : ` ${subset}`}`;
    return destinations.length === 1
      ? name
      : `${name} ${totalWeight === 0 ? 0 : Math.round((weight / totalWeight) * 1_000) / 10}%`;
  });
  return `goes to ${targets.join(", ")}`;
}

function retriesText({ retry: { maxAttempts, tokens, perTryTimeoutMs } }: Route): string {
  if (maxAttempts <= 1) return "no retries";
  const each = perTryTimeoutMs === 0 ? "" : `, each attempt at most ${formatMs(perTryTimeoutMs)}`;
  return `${count(maxAttempts - 1, "retry", "retries")} on ${tokens.join(",")}${each}`;
}

function extras({ fault, mirrors, rewrite, cors, requestHeaders, responseHeaders }: Route): string[] {
  const share = (ratio: number): string => `${Math.round(ratio * 1_000) / 10}%`;
  return [
    ...(fault !== undefined && fault.delayRatio > 0
      ? [`${share(fault.delayRatio)} delayed by ${formatMs(fault.delayMs)}`]
      : []),
    ...(fault !== undefined && fault.abortRatio > 0
      ? [`${share(fault.abortRatio)} aborted with ${fault.abortGrpcStatus ?? fault.abortStatus}`]
      : []),
    ...mirrors.map(({ destination, ratio }) => `${share(ratio)} copied to ${destination.host}`),
    ...(rewrite === undefined ? [] : ["path or host rewritten"]),
    ...(cors === undefined ? [] : ["CORS answered"]),
    ...(requestHeaders === undefined && responseHeaders === undefined ? [] : ["headers changed"]),
  ];
}

function policyLines({ destinationRule, policy, subsets, tls }: Described, at: (key: string) => string): string[] {
  const head = destinationRule === null ? "no DestinationRule: defaults" : `of ${at(destinationRule)}`;
  const settings =
    policy === null
      ? []
      : [
          `  balanced by ${balancingText(policy)}; connects within ${formatMs(policy.connection.connectTimeoutMs)}; TLS ${policy.tls.auto === true ? "auto" : policy.tls.mode}`,
        ];
  const parts = subsets.map(({ name, labels, endpoints }) => {
    const chosen = Object.entries(labels)
      .map(([key, value]) => `${key}=${value}`)
      .join(", ");
    return `  subset ${name} (${chosen}): ${endpoints === 0 ? "no endpoint" : count(endpoints, "endpoint")}`;
  });
  return [head, ...settings, ...tlsLines(tls), ...parts];
}

/** Ports and subsets of which the same is true, together. */
function tlsLines(tls: Described["tls"]): string[] {
  const places = new Map<string, string[]>();
  for (const { port, subset, text } of tls) {
    const place = subset === "" ? `port ${port}` : `port ${port} ${subset}`;
    places.set(text, [...(places.get(text) ?? []), place]);
  }
  return [...places].map(([text, at]) => `  TLS of ${at.join(", ")}: ${text}`);
}
