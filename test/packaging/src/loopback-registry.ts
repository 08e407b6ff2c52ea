/**
 * An npm registry on loopback with our tarballs and the libraries that this clone has installed, so that
 * `npm install @inmesh/node` is what a user types, needs no network, and finds nothing that the lock file does not name.
 */

import { spawn } from "node:child_process";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { basename, dirname, join } from "node:path";
import { type Manifest, ROOT, readManifest, type Tarball } from "./tarballs.js";

interface Version {
  readonly manifest: Manifest;
  /** A folder in node_modules, or a `.tgz` of ours. */
  readonly from: string;
}

export interface LoopbackRegistry extends AsyncDisposable {
  readonly url: string;
  /** What was asked for and is not there. */
  readonly missing: readonly string[];
}

export async function openLoopbackRegistry(tarballs: readonly Tarball[]): Promise<LoopbackRegistry> {
  const versions = readVersions(tarballs);
  const missing: string[] = [];
  const server = createServer((request, response) => {
    const path = decodeURIComponent(request.url ?? "/").slice(1);
    const [name = "", version] = path.split("/-/");
    const found = versions.get(name);
    if (found === undefined) {
      missing.push(path);
      response.writeHead(404).end();
    } else if (version === undefined) response.end(JSON.stringify(packument(name, found, url)));
    else sendTarball(found.get(version.replace(/\.tgz$/, ""))!, response); // the URLs are ours
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return {
    url,
    missing,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function readVersions(tarballs: readonly Tarball[]): Map<string, Map<string, Version>> {
  const versions = new Map<string, Map<string, Version>>();
  const add = (manifest: Manifest, from: string): void => {
    const known = versions.get(manifest.name) ?? new Map<string, Version>();
    versions.set(manifest.name, known.set(manifest.version, { manifest, from }));
  };
  const { packages } = JSON.parse(readFileSync(join(ROOT, "package-lock.json"), "utf8")) as {
    packages: Record<string, { link?: boolean }>;
  };
  for (const [path, { link }] of Object.entries(packages)) {
    if (!path.includes("node_modules/") || link === true || !existsSync(join(ROOT, path))) continue;
    add(readManifest(join(ROOT, path)), join(ROOT, path));
  }
  for (const { manifest, file } of tarballs) add(manifest, file);
  return versions;
}

function packument(name: string, versions: ReadonlyMap<string, Version>, url: string): object {
  const described = [...versions].map(([version, { manifest }]) => [
    version,
    { ...manifest, dist: { tarball: `${url}${name}/-/${version}.tgz` } },
  ]);
  return { name, versions: Object.fromEntries(described), "dist-tags": { latest: [...versions.keys()].at(-1) } };
}

function sendTarball({ from }: Version, response: ServerResponse): void {
  if (from.endsWith(".tgz")) {
    createReadStream(from).pipe(response);
    return;
  }
  const tar = spawn("tar", ["-czf", "-", "--exclude=node_modules", "-C", dirname(from), basename(from)]);
  tar.stdout.pipe(response);
}
