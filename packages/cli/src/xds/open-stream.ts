/** The stream to a control plane, opened as the process that one asks for would open it. */

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { messageOf, systemRandom } from "@inmesh/core";
import type { ClientContext } from "@inmesh/model";
import { istioNode } from "@inmesh/xds/api";
import { type AdsClient, createXdsClient, parseXdsTarget, type XdsNode, type XdsTarget } from "@inmesh/xds/client";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { namespaceOf } from "../options.js";
import { VERSION } from "../version.js";
import type { XdsOptions } from "./options.js";

export interface OpenStream {
  readonly target: XdsTarget;
  readonly client: AdsClient;
  /** Who it asks as. */
  readonly node: XdsNode;
}

/** What opening a stream touches of the world. */
export interface StreamPorts {
  readonly env: Cli["io"]["env"];
  readonly clock: Cli["io"]["clock"];
  readonly trace: (line: string) => void;
  readonly warn: (line: string) => void;
}

/** @throws {CliError} the URL, or the bootstrap that it leads to, cannot be used */
export function openStream(cli: Cli, url: string, options: Pick<XdsOptions, "namespace" | "service">): OpenStream {
  const { env, clock } = cli.io;
  const service = options.service ?? (env["INMESH_SERVICE"] || "inmesh");
  const { trace, warn } = cli;
  return openStreamAs({ env, clock, trace, warn }, url, { namespace: namespaceOf(options, cli), service, labels: {} });
}

/** As a process of that service would open it. @throws {CliError} as `openStream` */
export function openStreamAs(ports: StreamPorts, url: string, who: ClientContext): OpenStream {
  const { env, clock, trace, warn } = ports;
  const target = readTarget(url, env);
  const cluster = target.cluster ?? env["ISTIO_META_CLUSTER_ID"];
  const node = nodeOf(target, env, who);
  trace(`asking ${target.servers[0]?.address ?? ""} (${target.mode}) as ${node.id}`);
  const client = createXdsClient(
    { ...target, cluster },
    {
      ...{ clock, random: systemRandom, version: VERSION, node, warn },
      repeatsNames: target.profile === "grpc" && target.mode === "delta",
    },
  );
  return { target, client, node };
}

/** @throws {CliError} it cannot be used */
export function readTarget(url: string, env: Cli["io"]["env"]): XdsTarget {
  try {
    return parseXdsTarget(url, { env, readFile: (path) => readFileSync(path, "utf8") });
  } catch (error) {
    throw new CliError(EXIT.usage, messageOf(error), "See docs/reference/xds.md for the forms of its URL.");
  }
}

/** What a bootstrap says comes first, as in a process. */
function nodeOf({ node, profile }: XdsTarget, env: Cli["io"]["env"], who: ClientContext): XdsNode {
  const { namespace, labels, locality } = who;
  const service = who.service || "inmesh";
  const own = istioNode({
    ...{ env, namespace, labels: { app: service, ...labels }, member: false, address: addressOf(env), locality },
    name: env["POD_NAME"] || `${service}-${process.pid}`,
    serviceAccount: who.serviceAccount ?? env["SERVICE_ACCOUNT"],
    generator: profile === "grpc" ? "grpc" : undefined,
  });
  return { ...own, ...node, metadata: { ...own.metadata, ...node.metadata } };
}

function addressOf(env: Cli["io"]["env"]): string {
  const outside = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const found = outside.find(({ internal, family }) => !internal && family === "IPv4")?.address;
  return env["INSTANCE_IP"] || env["POD_IP"] || found || "127.0.0.1";
}

/** How long a stream may fail before there is none, in ms: while there is another server to fall back to. */
export function failingMs({ servers }: XdsTarget): number {
  return servers.length > 1 ? 1_500 : 0;
}
