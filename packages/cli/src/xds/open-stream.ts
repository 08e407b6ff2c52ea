/** The stream to a control plane, opened as the process that one asks for would open it. */

import { readFileSync } from "node:fs";
import { networkInterfaces } from "node:os";
import { messageOf, systemRandom } from "@inmesh/core";
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
}

/** @throws {CliError} the URL, or the bootstrap that it leads to, cannot be used */
export function openStream(cli: Cli, url: string, options: XdsOptions): OpenStream {
  const { io } = cli;
  const target = readTarget(url, io.env);
  const cluster = target.cluster ?? io.env["ISTIO_META_CLUSTER_ID"];
  const node = nodeOf(target, cli, options);
  cli.trace(`asking ${target.servers[0]?.address ?? ""} (${target.mode}) as ${node.id}`);
  const client = createXdsClient(
    { ...target, cluster },
    {
      ...{ clock: io.clock, random: systemRandom, version: VERSION, node, warn: cli.warn },
      repeatsNames: target.profile === "grpc" && target.mode === "delta",
    },
  );
  return { target, client };
}

function readTarget(url: string, env: Cli["io"]["env"]): XdsTarget {
  try {
    return parseXdsTarget(url, { env, readFile: (path) => readFileSync(path, "utf8") });
  } catch (error) {
    throw new CliError(EXIT.usage, messageOf(error), "See docs/reference/configuration.md, xDS, for its forms.");
  }
}

/** What a bootstrap says comes first, as in a process. */
function nodeOf({ node, profile }: XdsTarget, cli: Cli, options: XdsOptions): XdsNode {
  const { env } = cli.io;
  const service = options.service ?? (env["INMESH_SERVICE"] || "inmesh");
  const own = istioNode({
    ...{ env, namespace: namespaceOf(options, cli), labels: { app: service }, member: false, address: addressOf(env) },
    name: env["POD_NAME"] || `${service}-${process.pid}`,
    serviceAccount: env["SERVICE_ACCOUNT"],
    generator: profile === "grpc" ? "grpc" : undefined,
  });
  return { ...own, ...node, metadata: { ...own.metadata, ...node.metadata } };
}

function addressOf(env: Cli["io"]["env"]): string {
  const outside = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const found = outside.find(({ internal, family }) => !internal && family === "IPv4")?.address;
  return env["INSTANCE_IP"] || env["POD_IP"] || found || "127.0.0.1";
}
