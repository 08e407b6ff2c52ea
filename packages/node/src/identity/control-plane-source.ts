/** Certificates that come from elsewhere than a folder: an Istio mesh's authority, or an agent of SPIFFE's on this machine. */

import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import type { Clock, CredentialSource, Random } from "@inmesh/core";
import { createCsr, generateKey, privateKeyPem } from "@inmesh/identity";
import { clusterOf } from "@inmesh/xds/api";
import { parseXdsTarget, type XdsServer } from "@inmesh/xds/client";
import { IstioCaSource, SpiffeSource, WorkloadApi } from "@inmesh/xds/identity";
import { isXds } from "../settings/registry-url.js";
import type { MeshSettings } from "../settings/resolve-settings.js";
import { TOKEN_FILE } from "./found-identity.js";

export interface ControlPlaneSourceOptions {
  readonly settings: Pick<MeshSettings, "identity" | "config" | "namespace" | "service" | "serviceAccount">;
  readonly clock: Clock;
  readonly random: Random;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export const ISTIO_CA = "istio-ca";
export const SPIFFE = "spiffe";

/** Where Istio's injection puts the root that its authority serves with. */
const ROOT_FILE = "/var/run/secrets/istio/root-cert.pem";

/** @param identity `istio-ca`, or `istio-ca:host:port` @throws {Error} where nothing says which authority */
export function istioCaSource(identity: string, options: ControlPlaneSourceOptions): CredentialSource {
  const { settings, clock, random, env } = options;
  const { config } = settings;
  const target =
    typeof config === "string" && isXds(config)
      ? parseXdsTarget(config, { env, readFile: (path) => readFileSync(path, "utf8") })
      : undefined;
  const server = target?.servers[0];
  const address = identity.slice(ISTIO_CA.length + 1) || server?.address;
  if (address === undefined) {
    throw new Error(
      "identity istio-ca needs an authority: write istio-ca:HOST:15012, or set config to xds://HOST:15012",
    );
  }
  return new IstioCaSource({
    ...{ address, clock, random, cluster: target?.cluster ?? clusterOf(env) },
    access: () => readAccess(address, server),
    makeRequest: () => {
      const key = generateKey();
      return { csr: createCsr(key), privateKey: privateKeyPem(key) };
    },
  });
}

/** As the stream is shown itself, and where that says nothing as Istio's injection has it. */
async function readAccess(address: string, server: XdsServer | undefined) {
  const isStream = server?.address === address;
  const tokenFile = server?.tokenFile ?? there(TOKEN_FILE);
  const token = tokenFile === undefined ? undefined : (await readFile(tokenFile, "utf8")).trim();
  if (isStream && server.tls === undefined) return token === undefined ? {} : { token };
  const { caFile = there(ROOT_FILE), serverName, certFile, keyFile } = server?.tls ?? {};
  const isShown = certFile !== undefined && keyFile !== undefined;
  return {
    ...(token !== undefined && { token }),
    ...(isShown && {
      shown: { certificateChain: await readFile(certFile, "utf8"), privateKey: await readFile(keyFile, "utf8") },
    }),
    tls: {
      ...(caFile !== undefined && { roots: await readFile(caFile, "utf8") }),
      ...(serverName !== undefined && { serverName }),
    },
  };
}

/** @param identity `spiffe`, or `spiffe:SOCKET` @throws {Error} where nothing says which agent */
export function spiffeSource(identity: string, options: ControlPlaneSourceOptions): CredentialSource {
  const { settings, clock, random, env } = options;
  const socket = identity.slice(SPIFFE.length + 1) || env["SPIFFE_ENDPOINT_SOCKET"];
  if (!socket)
    throw new Error("identity spiffe needs an agent: write spiffe:/path/of/socket, or set SPIFFE_ENDPOINT_SOCKET");
  const { namespace, service, serviceAccount = service } = settings;
  const path = `/ns/${namespace}/sa/${serviceAccount}`;
  return new SpiffeSource({ api: new WorkloadApi({ socket }), clock, random, prefers: (id) => id.endsWith(path) });
}

function there(path: string): string | undefined {
  return existsSync(path) ? path : undefined;
}
