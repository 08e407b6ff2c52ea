/** Node, and the packages that a program started in the current folder would load. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Cli } from "../cli.js";
import { PACKAGE } from "../own-files.js";
import { VERSION } from "../version.js";
import { error, type Finding, ok, type Section, warning } from "./section.js";

/** As in package.json. */
const MINIMUM = "20.19";

/** Each physical copy of these is patched when it is loaded; what is here is only what would be found. */
const CLIENTS: readonly { readonly name: string; readonly tested: RegExp }[] = [
  { name: "undici", tested: /^[678]\./ },
  { name: "express", tested: /^[45]\./ },
  { name: "fastify", tested: /^[45]\./ },
];

export async function checkRuntime({ io }: Cli): Promise<Section> {
  const { node } = process.versions;
  const findings: Finding[] = [
    isSupportedNode(node)
      ? ok(`node ${node} is supported (>= ${MINIMUM})`)
      : error(`node ${node} is too old: inmesh needs ${MINIMUM} or newer`, "Install a newer Node."),
    registerFinding(io.cwd),
    ...CLIENTS.flatMap(({ name, tested }) => clientFinding(io.cwd, name, tested)),
  ];
  const options = io.env["NODE_OPTIONS"] ?? "";
  if (/--(import|require)[= ]\S*@inmesh\/node\/register/.test(options)) findings.push(ok("NODE_OPTIONS loads inmesh"));
  if (io.env["INMESH_MODE"] === "off") {
    findings.push(warning("INMESH_MODE=off: processes started here are not meshed", "Unset it to mesh them."));
  }
  return { name: "runtime", findings };
}

export function isSupportedNode(version: string): boolean {
  const [major = 0, minor = 0] = version.replace(/^v/, "").split(".").map(Number);
  return major > 20 || (major === 20 && minor >= 19);
}

function registerFinding(cwd: string): Finding {
  const found = installed(cwd, "@inmesh/node") ?? installed(PACKAGE, "@inmesh/node");
  if (found === undefined) {
    return error(
      "@inmesh/node is not installed: a program started here cannot load it",
      "Run: npm install @inmesh/node   then start with: node --import @inmesh/node/register server.js",
    );
  }
  if (!found.resolves("@inmesh/node/register")) {
    return error(`@inmesh/node ${found.version} has no register: it is not complete`, "Install or build it again.");
  }
  return found.version === VERSION
    ? ok(`@inmesh/node ${found.version} can be loaded: node --import @inmesh/node/register`)
    : warning(
        `@inmesh/node is ${found.version} and this command ${VERSION}`,
        "Keep them at one version: npm install @inmesh/node@latest inmesh@latest",
      );
}

function clientFinding(cwd: string, name: string, tested: RegExp): Finding[] {
  const found = installed(cwd, name);
  if (found === undefined) return [];
  return tested.test(found.version)
    ? [ok(`${name} ${found.version} is supported`)]
    : [warning(`${name} ${found.version} is not tested with inmesh`, "It may work; see docs/guides.")];
}

interface Installed {
  readonly version: string;
  readonly resolves: (specifier: string) => boolean;
}

/** As a program in `folder` would find it: upwards through node_modules, without loading it. */
function installed(folder: string, name: string): Installed | undefined {
  for (let at = folder; ; at = dirname(at)) {
    try {
      const manifest: unknown = JSON.parse(readFileSync(join(at, "node_modules", name, "package.json"), "utf8"));
      const version =
        typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : "";
      const require = createRequire(join(at, "package.json"));
      const resolves = (specifier: string): boolean => {
        try {
          readFileSync(require.resolve(specifier));
          return true;
        } catch {
          return false;
        }
      };
      return { version: String(version), resolves };
    } catch {
      if (dirname(at) === at) return undefined;
    }
  }
}
