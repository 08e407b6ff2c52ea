/**
 * What a real Envoy makes of hostile requests, and what our servers make of them: the same path arrives at the application,
 * under the same rules, in each mode of normalisation. Both get the same bytes.
 */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cluster, EnvoyProcess, filter, findEnvoy, listener } from "../peer/index.js";
import { type RawAnswer, sendRaw } from "../process/raw-request.js";
import type { ServiceProcess } from "../process/service-process.js";
import { Town } from "../process/town.js";
import { hostilePaths } from "./hostile-paths.js";

const envoyPath = findEnvoy("paths and rules as a real Envoy takes them");
const MODES = {
  NONE: {},
  BASE: { normalize_path: true },
  MERGE_SLASHES: { normalize_path: true, merge_slashes: true },
  DECODE_AND_MERGE_SLASHES: {
    ...{ normalize_path: true, merge_slashes: true },
    path_with_escaped_slashes_action: "UNESCAPE_AND_FORWARD",
  },
} as const;
type Mode = keyof typeof MODES;
const NAMES = Object.keys(MODES) as Mode[];
/** Of a broken escape and what follows it Envoy makes a new escape; we refuse the path, or who decodes again sees what no rule saw. */
const STRICTER = /%[0-9a-f]?%/i;
const PATHS = hostilePaths(500, 8);

const POLICY = `apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: closed, namespace: shop }
spec:
  action: DENY
  rules:
    - to: [{ operation: { paths: ["/admin", "/admin/*"] } }]
    - to: [{ operation: { methods: [DELETE] } }]
    - when: [{ key: "request.headers[x-closed]", values: ["yes*"] }]
    - to: [{ operation: { hosts: ["closed.test"] } }]
`;
const any = { principals: [{ any: true }] };
/** The same, as Istio writes it for Envoy. */
const RBAC = filter("rbac", "rbac.v3.RBAC", {
  rules: {
    action: "DENY",
    policies: {
      paths: {
        permissions: [{ url_path: { path: { exact: "/admin" } } }, { url_path: { path: { prefix: "/admin/" } } }],
        ...any,
      },
      methods: { permissions: [{ header: { name: ":method", string_match: { exact: "DELETE" } } }], ...any },
      headers: {
        permissions: [{ any: true }],
        principals: [{ header: { name: "x-closed", string_match: { prefix: "yes" } } }],
      },
      hosts: {
        permissions: [{ header: { name: ":authority", string_match: { exact: "closed.test", ignore_case: true } } }],
        ...any,
      },
    },
  },
});

const echo = createServer((request, response) => response.end(JSON.stringify({ url: request.url })));

describe.skipIf(envoyPath === undefined)("the same bytes to an Envoy and to us", () => {
  const towns = NAMES.map((mode) => {
    const town = new Town(POLICY, { INMESH_IDENTITY: "off" });
    town.write("mesh.yaml", `pathNormalization: { normalization: ${mode} }\n`);
    return town;
  });
  let envoy: EnvoyProcess;
  let services: ServiceProcess[];

  beforeAll(async () => {
    await once(echo.listen(0, "127.0.0.1"), "listening");
    const { port } = echo.address() as AddressInfo;
    [envoy, services] = await Promise.all([
      EnvoyProcess.start(envoyPath!, {
        listeners: NAMES.map((name) => listener({ name, cluster: "echo", filters: [RBAC], manager: MODES[name] })),
        clusters: [cluster({ name: "echo", port })],
      }),
      Promise.all(towns.map((town) => town.start("app"))),
    ]);
  }, 60_000);

  afterAll(async () => {
    await Promise.all(towns.map((town) => town[Symbol.asyncDispose]()));
    await envoy?.[Symbol.asyncDispose]();
    echo.close();
  });

  const both = async (mode: Mode, text: string): Promise<{ readonly envoy: string; readonly ours: string }> => {
    const service = services[NAMES.indexOf(mode)]!; // one for each
    const [theirs, ours] = await Promise.all([sendRaw(envoy.port(mode), text), sendRaw(service.port, text)]);
    return { envoy: outcome(theirs), ours: outcome(ours) };
  };

  it.each(NAMES)("500 paths under %s", async (mode) => {
    const differ: unknown[] = [];
    const seen = new Map<string, number>();
    for (let at = 0; at < PATHS.length; at += 20) {
      await Promise.all(
        PATHS.slice(at, at + 20).map(async (path) => {
          const { envoy, ours } = await both(mode, get(path));
          const kind = envoy.slice(0, 3);
          seen.set(kind, (seen.get(kind) ?? 0) + 1);
          if (envoy !== ours && !(ours === "400" && STRICTER.test(path))) differ.push({ path, envoy, ours });
        }),
      );
    }
    expect(differ).toEqual([]);
    for (const kind of ["200", "400", "403"]) expect(seen.get(kind), kind).toBeGreaterThan(5);
  });

  it.each([
    ["a method", "DELETE /x HTTP/1.1\r\nhost: a"],
    ["a method in lower case", "delete /x HTTP/1.1\r\nhost: a"],
    ["a header", "GET /x HTTP/1.1\r\nhost: a\r\nX-Closed: yes please"],
    ["the second line of a header", "GET /x HTTP/1.1\r\nhost: a\r\nx-closed: no\r\nx-closed: yes"],
    ["a header that begins otherwise", "GET /x HTTP/1.1\r\nhost: a\r\nx-closed: oh yes"],
    ["a host", "GET /x HTTP/1.1\r\nhost: closed.test"],
    ["a host in capitals", "GET /x HTTP/1.1\r\nhost: CLOSED.test"],
    ["a host with a port", "GET /x HTTP/1.1\r\nhost: closed.test:80"],
    ["a host in the target", "GET http://closed.test/x HTTP/1.1\r\nhost: open.test"],
    ["a path in the target", "GET http://open.test/admin HTTP/1.1\r\nhost: open.test"],
    ["no host", "GET /x HTTP/1.1\r\nx: y"],
    ["a space before the colon", "GET /x HTTP/1.1\r\nhost: a\r\nx-closed : yes"],
  ])("%s", async (_, head) => {
    const { envoy, ours } = await both("BASE", `${head}\r\nconnection: close\r\n\r\n`);
    expect(ours).toBe(envoy);
  });

  it("two hosts: Envoy joins them into one that no rule knows, we refuse the request", async () => {
    const head = "GET /x HTTP/1.1\r\nhost: open.test\r\nhost: closed.test";
    expect(await both("BASE", `${head}\r\nconnection: close\r\n\r\n`)).toEqual({ envoy: "200 /x", ours: "400" });
  });
});

function get(path: string): string {
  return `GET ${path} HTTP/1.1\r\nhost: open.test\r\nconnection: close\r\n\r\n`;
}

function outcome({ status, body }: RawAnswer): string {
  if (status !== 200) return String(status === 0 ? 400 : status); // some refuse by closing
  return `200 ${(JSON.parse(body) as { url: string }).url}`;
}
