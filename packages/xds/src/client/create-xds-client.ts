/** A client for a target: files are read for each stream, so that what is rotated is used. */

import { readFile } from "node:fs/promises";
import type { Clock, Random } from "@inmesh/core";
import type { AuthorityServer } from "./ads/authority.js";
import { GrpcTransport, type ServerAccess, type ServerTls } from "./ads/grpc-transport.js";
import { encodeNode, type XdsNode } from "./ads/node.js";
import { AdsClient } from "./ads-client.js";
import type { XdsServer, XdsServerTls, XdsTarget } from "./bootstrap/target.js";

export interface CreateXdsClientOptions {
  /** Beats what the target's bootstrap says. */
  readonly node: XdsNode;
  /** Of inmesh. */
  readonly version: string;
  readonly clock: Clock;
  readonly random: Random;
  /** PEM of the certificate that this process has in the mesh, for a target that asks for it. @default there is none */
  readonly meshIdentity?: () => Promise<{ readonly cert: Uint8Array; readonly key: Uint8Array }>;
  /** Each change to listeners and clusters by name repeats all names: for istiod's generator for gRPC. @default false */
  readonly repeatsNames?: boolean;
  /** What is odd about a server, for people; each text once. @default not told */
  readonly warn?: (text: string) => void;
}

export function createXdsClient(target: XdsTarget, options: CreateXdsClientOptions): AdsClient {
  const { node, version, clock, random, repeatsNames = false, warn } = options;
  const servers = (list: readonly XdsServer[]) => list.map((server) => authorityServer(server, target, options));
  const authorities = [...target.authorities].map(
    ([name, authority]) =>
      [name, servers(authority.servers.length === 0 ? target.servers : authority.servers)] as const,
  );
  return new AdsClient({
    servers: servers(target.servers),
    authorities: new Map(authorities),
    mode: target.mode,
    node: encodeNode({ ...target.node, ...node }, version),
    repeatsNames,
    clock,
    random,
    ...(warn === undefined ? {} : { warn }),
  });
}

function authorityServer(server: XdsServer, { cluster }: XdsTarget, options: CreateXdsClientOptions): AuthorityServer {
  const { address, features } = server;
  return {
    transport: new GrpcTransport({
      address,
      access: () => readAccess(server, options),
      headers: cluster === undefined ? {} : { clusterid: cluster },
      clock: options.clock,
    }),
    failOnDataErrors: features.has("fail_on_data_errors"),
    slowIsNotAbsent: features.has("resource_timer_is_transient_error"),
  };
}

async function readAccess({ tls, tokenFile }: XdsServer, options: CreateXdsClientOptions): Promise<ServerAccess> {
  return {
    tls: tls === undefined ? undefined : await readTls(tls, options),
    token: tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim(),
  };
}

async function readTls(tls: XdsServerTls, { meshIdentity }: CreateXdsClientOptions): Promise<ServerTls> {
  const read = (path: string | undefined) => (path === undefined ? undefined : readFile(path));
  const [ca, cert, key] = await Promise.all([tls.caFile, tls.certFile, tls.keyFile].map(read));
  if (!tls.meshIdentity) return { ca, cert, key, serverName: tls.serverName };
  if (meshIdentity === undefined) throw new Error("identity=mesh, and this process has no identity in the mesh");
  return { ca, ...(await meshIdentity()), serverName: tls.serverName };
}
