/**
 * A whole run with everything that goes right and wrong, at the most talkative level, and then all that anybody can read of
 * it: logs, errors, answers of the admin endpoints, of the commands, leases, the log of the authority, what is kept on
 * disk. No private key and no token is in any of it.
 */

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { systemClock } from "@inmesh/core";
import { run } from "inmesh";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Authority } from "../peer/index.js";
import type { ServiceProcess } from "../process/service-process.js";
import { Town } from "../process/town.js";
import { createIssuer } from "./tokens.js";

const issuer = createIssuer("https://issuer.test");
const stranger = createIssuer("https://stranger.test");
const POLICY = `apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: shop }
spec: { mtls: { mode: STRICT } }
---
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: { name: tokens, namespace: shop }
spec:
  jwtRules:
    - issuer: ${issuer.name}
      jwks: '${issuer.jwks}'
      fromHeaders: [{ name: authorization, prefix: "Bearer " }, { name: x-token }]
      fromParams: [access_token]
      fromCookies: [session]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: { name: tokens, namespace: shop }
spec:
  action: DENY
  rules:
    - to: [{ operation: { paths: ["/closed*"] } }]
    - from: [{ source: { notRequestPrincipals: ["*"] } }]
      to: [{ operation: { paths: ["/known*"] } }]
`;
const COMMANDS = [
  "status",
  "certs",
  "ca status",
  "edges",
  "graph",
  "stat",
  "endpoints",
  "check",
  "get",
  "describe app",
  "routes",
];
/** How the base64 of every P-256 key in PKCS #8 begins, whatever stands around it. */
const ANY_KEY = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEH";

describe("after a run in which much went wrong", () => {
  const town = new Town(POLICY, { INMESH_LOG: "debug", INMESH_IDENTITY: "ca" });
  const foreign = new Authority({ trustDomain: "cluster.local" });
  const tokens: string[] = [];
  const read: { readonly what: string; readonly text: string }[] = [];
  let statuses: (readonly [string, number])[];

  beforeAll(async () => {
    const services = await Promise.all([
      town.start("app"),
      town.start("web"),
      town.start("rogue", { INMESH_IDENTITY: `files:${foreign.workload("rogue").folder}` }),
    ]);
    const [app, web, rogue] = services as [ServiceProcess, ServiceProcess, ServiceProcess];
    for (const until = Date.now() + 30_000; Date.now() < until; await delay(50)) {
      if ((await web.call("http://app/")).status === 200) break; // it is in the registry once it has a certificate
    }
    statuses = await everything(web);
    const answers = [
      await rogue.call("http://app/from-a-stranger"),
      await web.call("http://rogue/", { headers: bearer(issuer.token()) }),
      await web.call("http://nowhere.shop.svc.cluster.local/", { headers: bearer(issuer.token()) }),
      await web.call(`http://127.0.0.1:${app.port}/directly`, { headers: bearer(issuer.token()) }),
    ];
    for (const [index, answer] of answers.entries()) keep(`answer ${index} to the caller`, JSON.stringify(answer));
    for (const service of services) {
      const url = town.adminUrl(service);
      const { paths } = (await (await fetch(url)).json()) as { paths: string[] };
      expect(paths.length).toBeGreaterThan(10);
      const more = [`/explain?method=GET&url=${encodeURIComponent("http://app/known?access_token=hidden")}`];
      for (const path of [...paths, ...more]) {
        keep(`${service.name} admin ${path}`, await (await fetch(`${url}${path}`)).text());
      }
    }
    await Promise.all(COMMANDS.flatMap((command) => [command, `${command} -o json`]).map(cli));
    for (const { name, output } of services) keep(`output of ${name}`, output);
    for (const file of filesIn(town.folder)) {
      if (!/\.key$/.test(file)) keep(file.slice(town.folder.length), readFileSync(file, "latin1"));
    }
  }, 120_000);

  afterAll(async () => {
    await town[Symbol.asyncDispose]();
    foreign[Symbol.dispose]();
  });

  it("what should be served was, and what should not be was not", () => {
    expect(Object.fromEntries(statuses)).toEqual({
      ...{ "valid in the header": 200, "valid in a header of its own": 200, "valid in the query": 200 },
      ...{ "valid in a cookie": 200, "no token": 403, "valid, and denied": 403, "of a stranger": 401 },
      ...{ "with another payload": 401, "without a signature": 401, expired: 401, "no token at all": 401 },
    });
  });

  it("much was said", () => {
    expect(read.length).toBeGreaterThan(60);
    const all = read.map(({ text }) => text).join("\n");
    // The reasons are there for operators, or a scan for what else is in them would say nothing.
    for (const known of ["expired", "closed", "spiffe://cluster.local/ns/shop/sa/rogue"]) expect(all).toContain(known);
  });

  it("nobody was told a private key", () => {
    const bodies = filesIn(join(town.mesh, ".ca"))
      .filter((file) => file.endsWith(".key"))
      .map((file) => readFileSync(file, "utf8").replace(/-----.*-----|\s/g, ""));
    expect(bodies.length).toBeGreaterThan(1);
    expect(findings([...bodies.map((body) => body.slice(40, 80)), ANY_KEY, "PRIVATE KEY-----"])).toEqual([]);
  });

  it("nobody was told a token, or a part of one that is of use", () => {
    const parts = tokens.flatMap((token) => token.split(".").slice(1));
    expect(tokens.length).toBeGreaterThan(8);
    expect(findings(parts.filter((part) => part.length > 20))).toEqual([]);
  });

  async function everything(web: ServiceProcess): Promise<(readonly [string, number])[]> {
    const valid = issuer.token();
    const [head, , signature] = valid.split(".");
    const other = issuer.token({ sub: "eve" }).split(".")[1];
    const asked: readonly (readonly [string, string, Readonly<Record<string, string>>])[] = [
      ["valid in the header", "/known", bearer(valid)],
      ["valid in a header of its own", "/known", { "x-token": told(issuer.token()) }],
      ["valid in the query", `/known?access_token=${told(issuer.token({ n: 1 }))}`, {}],
      ["valid in a cookie", "/known", { cookie: `session=${told(issuer.token({ n: 2 }))}` }],
      ["no token", "/known", {}],
      ["valid, and denied", "/closed", bearer(issuer.token({ n: 3 }))],
      ["of a stranger", "/known", bearer(stranger.token())],
      ["with another payload", "/known", bearer(`${head}.${other}.${signature}`)],
      ["without a signature", "/known", bearer(`${head}.${other}.`)],
      ["expired", "/known", bearer(issuer.token({ exp: 1_000_000_000 }))],
      ["no token at all", "/known", { authorization: "Bearer hunter2.hunter2" }],
    ];
    const seen: (readonly [string, number])[] = [];
    for (const [what, path, headers] of asked) {
      const answer = await web.call(`http://app${path}`, { headers });
      // What the application got is the caller's own; what the mesh answers in its place is not.
      if (answer.status !== 200) keep(`answer: ${what}`, JSON.stringify(answer));
      seen.push([what, answer.status]);
    }
    return seen;
  }

  function bearer(token: string): Record<string, string> {
    return { authorization: `Bearer ${told(token)}` };
  }

  function told(token: string): string {
    tokens.push(token);
    return token;
  }

  function keep(what: string, text: string): void {
    read.push({ what, text });
  }

  /** Where any of them is, without saying them again. */
  function findings(secrets: readonly string[]): string[] {
    return read.flatMap(({ what, text }) => (secrets.some((secret) => text.includes(secret)) ? [what] : []));
  }

  async function cli(command: string): Promise<void> {
    let text = "";
    const write = (piece: string): void => {
      text += piece;
    };
    await run(command.split(" "), {
      ...{ stdout: { write }, stderr: { write }, stdin: (async function* () {})() },
      env: { HOME: town.folder, INMESH_CONFIG: town.mesh, INMESH_NAMESPACE: "shop" },
      ...{ cwd: town.folder, clock: systemClock, user: "tester@here", signal: new AbortController().signal },
    });
    keep(`inmesh ${command}`, text);
  }
});

function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file, { throwIfNoEntry: false })?.isFile() === true);
}
