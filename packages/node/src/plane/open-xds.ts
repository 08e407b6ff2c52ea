/** A control plane that speaks xDS, such as istiod, as the registry of a process. Loaded by those whose `config` names one. */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { networkInterfaces } from "node:os";
import { dirname } from "node:path";
import type { Source, SourceStatus } from "@inmesh/core";
import { ProcessNotes, type StateFile } from "@inmesh/core/internal";
import { ApiSource, istioNode } from "@inmesh/xds/api";
import {
  type AdsClient,
  createXdsClient,
  KeptResources,
  parseXdsTarget,
  type XdsClient,
  type XdsNode,
  type XdsTarget,
  type XdsTraffic,
} from "@inmesh/xds/client";
import { createEnvoyFeed, envoyJson } from "@inmesh/xds/envoy";
import { shownConfig } from "../settings/registry-url.js";
import { VERSION } from "../version.js";
import { foundAddress } from "../whereabouts/found-address.js";
import type { OpenRegistry, OpenRegistryOptions } from "./open-registry.js";

/** @throws {MeshError} CONFIG_INVALID when the URL, or the bootstrap that it leads to, cannot be used */
export function openXds(
  url: string,
  options: OpenRegistryOptions,
  stateOf: (registry: string) => StateFile,
): OpenRegistry {
  const { env } = options;
  const target = parseXdsTarget(url, { env, readFile: (path) => readFileSync(path, "utf8") });
  const node = nodeOf(target, options);
  const clients: AdsClient[] = [];
  const open = (): AdsClient => {
    const opened = openClient(target, node, options);
    clients.push(opened);
    return opened;
  };
  const client = open();
  const address = target.servers[0]?.address ?? "";
  const state = stateOf(shownConfig(url));
  // Of Istio's own resources documents are kept, like those of every registry.
  const kept = target.profile === "api" ? undefined : new KeptResources({ state, clock: options.clock });
  return {
    url: shownConfig(url),
    state,
    ...openPolicy(target, client, open, options, kept),
    xds: {
      ...{ profile: target.profile, node },
      get status() {
        return client.status;
      },
      json: envoyJson,
      resources: () => {
        const told = clients.flatMap((each) => each.resources());
        return kept?.shown(told) ?? told;
      },
      traffic: () => summedTraffic(clients.flatMap((each) => each.traffic())),
    },
    // It learns of processes from where they run: what is written is for operators on this machine.
    registrar: new ProcessNotes({
      ...{ directory: dirname(state.directory), registry: shownConfig(url) },
      wallTime: () => options.clock.wallTime(),
    }),
    registersElsewhere: "no lease is written: the control plane learns of this process from the platform that runs it",
    ...(!address.startsWith("unix:") && { server: address, shared: sharedServer(address) }),
  };
}

/** Istio's own resources are documents; what is meant for Envoy or for gRPC arrives compiled. */
function openPolicy(
  target: XdsTarget,
  client: XdsClient,
  openClient: () => XdsClient,
  options: OpenRegistryOptions,
  kept: KeptResources | undefined,
): Pick<OpenRegistry, "source" | "feed"> {
  const { profile, acceptsUnnamed, serverListenerTemplate: template } = target;
  const { clock, identity } = options;
  if (profile === "api" || kept === undefined)
    return { source: new ApiSource({ client, clock, secured: identity !== undefined }) };
  const openOwn = (): XdsClient => kept.around(openClient(), "servers");
  const servers = template === undefined ? undefined : { template, openClient: openOwn };
  return {
    source: new StreamStatus(client),
    feed: ({ store, client: context, clock: time }) =>
      createEnvoyFeed({
        ...{ client: kept.around(client, "calls"), kept, profile, servers, acceptsUnnamed },
        ...{ store, context, clock: time },
      }),
  };
}

/** Listeners of servers come by a stream of their own. */
function summedTraffic(parts: readonly XdsTraffic[]): readonly XdsTraffic[] {
  const sums = new Map<string, XdsTraffic>();
  for (const each of parts) {
    const { accepted, rejected, bytes } = sums.get(each.url) ?? { accepted: 0, rejected: 0, bytes: 0 };
    sums.set(each.url, {
      url: each.url,
      accepted: accepted + each.accepted,
      rejected: rejected + each.rejected,
      bytes: bytes + each.bytes,
    });
  }
  return [...sums.values()];
}

/** How the stream is, where there are no documents to watch. */
class StreamStatus implements Source {
  readonly #client: XdsClient;

  constructor(client: XdsClient) {
    this.#client = client;
  }

  get status(): SourceStatus {
    const { state, since, reason } = this.#client.status;
    return { state, since, ...(reason !== undefined && { reason }) };
  }

  watch(): void {}

  close(): Promise<void> {
    return this.#client.close();
  }
}

function openClient(target: XdsTarget, node: XdsNode, options: OpenRegistryOptions): AdsClient {
  const { clock, random, env, identity, settings, onWarning } = options;
  const cluster = target.cluster ?? env["ISTIO_META_CLUSTER_ID"];
  return createXdsClient(
    { ...target, cluster },
    {
      ...{ clock, random, version: VERSION, node },
      // The generator forgets names that a later request does not repeat.
      repeatsNames: target.profile === "grpc" && target.mode === "delta",
      warn: (message) => onWarning({ code: "", message }),
      ...(identity && {
        meshIdentity: async () => {
          const { certificateChain, privateKey } = await identity.ready(settings.configWaitMs);
          return { cert: Buffer.from(certificateChain), key: Buffer.from(privateKey) };
        },
      }),
    },
  );
}

/** What a bootstrap says is said by who knows better, such as an agent beside this process. */
function nodeOf({ node, profile }: XdsTarget, { settings, env, locality, identity }: OpenRegistryOptions): XdsNode {
  const { namespace, service, labels, serviceAccount = env["SERVICE_ACCOUNT"] } = settings;
  const own = istioNode({
    ...{ namespace, labels, serviceAccount, locality, env, member: identity !== undefined },
    name: env["POD_NAME"] || settings.instance || `${service}-${process.pid}`,
    address: addressOf(settings.address, env),
    generator: profile === "grpc" ? "grpc" : undefined,
  });
  return { ...own, ...node, metadata: { ...own.metadata, ...node.metadata } };
}

/** A name is none here: the control plane looks for instances with this address. */
function addressOf(given: string | undefined, env: OpenRegistryOptions["env"]): string {
  const found = [given, env["INSTANCE_IP"], env["POD_IP"]].find((each) => each !== undefined && isIP(each) !== 0);
  return found ?? foundAddress([], { interfaces: networkInterfaces() }).address;
}

function sharedServer(address: string): NonNullable<OpenRegistry["shared"]> {
  const [, host = address, port = "0"] = /^\[?(.*?)\]?:(\d+)$/.exec(address) ?? [];
  return { host, port: Number(port), agentAddress: async () => undefined };
}
