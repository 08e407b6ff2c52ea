/** The environment in which a suite or an app runs: bare, or in a mesh that does not, or does, know the hosts it calls. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RANGES } from "../inside/ranges.js";
import type { Way } from "./outcome.js";

/** Built, whatever this module is run from: other people's processes load it. */
const REGISTER = new URL("../../../../packages/node/dist/register.js", import.meta.url).href;
const DECLARED_PORTS = new URL("../inside/declared-ports.js", import.meta.url).href;

export interface MeshEnvironment extends Disposable {
  readonly env: NodeJS.ProcessEnv;
}

/**
 * @param options Node options that the suite wants itself
 * @param known the spec of the one ServiceEntry of the mesh. @default as `way` says
 */
export function meshEnvironment(way: Way, options: readonly string[] = [], known = knownIn(way)): MeshEnvironment {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  const inherited = Object.fromEntries(Object.entries(rest).filter(([name]) => !name.startsWith("INMESH_")));
  const imports = way === "bare" ? [] : [`--import=${REGISTER}`];
  if (way === "inside") imports.push(`--import=${DECLARED_PORTS}`);
  const folder = mkdtempSync(join(tmpdir(), `inmesh-transparency-${way}-`));
  const nodeOptions = [...imports, ...options].join(" ");
  if (way !== "bare") writeFileSync(join(folder, "policy.json"), JSON.stringify(policy(way, known)));
  return {
    env: {
      ...inherited,
      ...(nodeOptions !== "" && { NODE_OPTIONS: nodeOptions }),
      ...(way !== "bare" && { INMESH_CONFIG: folder, INMESH_SERVICE: "suite", INMESH_LOG: "error" }),
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }),
  };
}

function policy(name: string, spec: object): object {
  return { apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name, namespace: "default" }, spec };
}

/** Inside: every port that `declared-ports.js` hands out is a port of a service, with no rule for any of them. */
function knownIn(way: Way): object {
  if (way === "inside") {
    return { hosts: ["localhost"], addresses: ["127.0.0.1", "::1"], ports: declaredPorts(), resolution: "NONE" };
  }
  return {
    hosts: ["reviews.example.test"],
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    resolution: "STATIC",
    endpoints: [{ address: "127.0.0.1" }],
  };
}

function declaredPorts(): object[] {
  return Object.entries(RANGES).flatMap(([protocol, { first, size }]) =>
    Array.from({ length: size }, (_, index) => {
      const number = first + index;
      return { number, name: `${protocol.toLowerCase()}-${number}`, protocol };
    }),
  );
}
