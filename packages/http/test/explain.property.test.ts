/** What `explain` says of a request is what becomes of it, over sockets, under random policies. */

import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { Engine, type Explanation, explain, SnapshotStore, seededRandom } from "@inmesh/core";
import {
  type ClientContext,
  compile,
  parseDocuments,
  type Resource,
  type Snapshot,
  validateDocument,
} from "@inmesh/model";
import { Agent } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MeshDispatcher } from "../src/index.js";
import { RandomPolicy } from "./random-policy.js";

const CLIENT: ClientContext = { namespace: "shop", service: "web", labels: { app: "web" } };
const POLICIES = 30;
const REQUESTS = 30;

/** One request as an upstream saw it. */
interface Seen {
  readonly server: string;
  readonly method: string;
  readonly path: string;
  readonly authority: string;
  readonly headers: Record<string, string>;
}

const servers = new Map<string, Server>();
let seen: Seen[] = [];
const store = new SnapshotStore();
const engine = new Engine({ store, random: seededRandom(1) });
const passThrough = new Agent({
  connect: (_, callback) => {
    const socket = connect(portOf("outside"), "127.0.0.1", () => callback(null, socket));
  },
});
const dispatcher = new MeshDispatcher({ engine, passThrough });

function portOf(name: string): number {
  return (servers.get(name)!.address() as AddressInfo).port; // made before all tests
}

beforeAll(async () => {
  for (const name of ["reviews v1", "reviews v2", "stock v1", "stock v2", "outside"]) {
    const server = createServer(
      ({ method = "", url = "", headers: { host = "", ...headers }, rawHeaders }, response) => {
        seen.push({ server: name, method, path: url, authority: host, headers: joinedLines(rawHeaders) });
        response.writeHead(Number(headers["x-fail"] ?? 200), { "x-served": name, "x-env": "theirs" }).end("theirs");
      },
    );
    servers.set(name, server);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }
});

afterAll(async () => {
  await dispatcher.destroy();
  await passThrough.destroy();
  engine.close();
  for (const server of servers.values()) server.closeAllConnections();
  await Promise.all([...servers.values()].map((server) => new Promise((resolve) => server.close(resolve))));
});

/** As explain writes them: repeated lines with a comma. */
function joinedLines(flat: readonly string[]): Record<string, string> {
  const joined: Record<string, string> = {};
  for (let at = 0; at < flat.length; at += 2) {
    const [name, value] = [flat[at]!.toLowerCase(), flat[at + 1]!]; // flat pairs
    joined[name] = joined[name] === undefined ? value : `${joined[name]},${value}`;
  }
  return joined;
}

/** What validation refuses is not applied, as in a registry. */
function resourcesOf(documents: readonly unknown[]): readonly Resource[] {
  const text = documents.map((document) => JSON.stringify(document)).join("\n---\n");
  return parseDocuments(text, { file: "random.yaml" }).documents.flatMap((document) => {
    const { resource } = validateDocument(document);
    return resource === undefined ? [] : [resource];
  });
}

function services(): unknown[] {
  return ["reviews", "stock"].map((name) => ({
    apiVersion: "networking.istio.io/v1",
    kind: "ServiceEntry",
    metadata: { name, namespace: "shop" },
    spec: {
      hosts: [`${name}.shop.svc.cluster.local`],
      ports: [{ number: 80, name: "http", protocol: "HTTP" }],
      resolution: "STATIC",
      endpoints: ["v1", "v2"].map((version) => ({
        address: "127.0.0.1",
        ports: { http: portOf(`${name} ${version}`) },
        labels: { version },
      })),
    },
  }));
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Asked = ReturnType<RandomPolicy["request"]>;

async function ask({ method, host, path, headers }: Asked): Promise<Answer> {
  seen = [];
  // Parts, since a URL would lose a "?" with nothing behind it.
  const options = { origin: `http://${host}`, path, method: method as "GET", headers: { ...headers, host } };
  const answer = await dispatcher.request(options);
  const joined = Object.entries(answer.headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(",") : `${value}`,
  ]);
  return { status: answer.statusCode, headers: Object.fromEntries(joined), body: await answer.body.text() };
}

/** Everything in which the answer differs from what was said; empty when nothing does. */
function differences(said: Explanation, asked: Asked, answer: Answer): string[] {
  const wrong: string[] = [];
  const check = (what: string, expected: unknown, found: unknown): void => {
    if (JSON.stringify(expected) !== JSON.stringify(found)) {
      wrong.push(`${what}: said ${JSON.stringify(expected)}, found ${JSON.stringify(found)}`);
    }
  };
  const reached = [...new Set(seen.map(({ server }) => server))];
  if (said.outcome === "passThrough") {
    check("server", ["outside"], reached);
    return wrong;
  }
  if (said.outcome !== "route" && said.outcome !== "noDestination") {
    check("server", [], reached);
    check("status", said.status, answer.status);
    if (said.redirect) check("location", said.redirect.location, answer.headers["location"]);
    if (said.directResponse) check("body", asked.method === "HEAD" ? "" : said.directResponse.body, answer.body);
    // Said as of the heaviest destination, while a fault hits any of them.
    if (!said.origins.some(({ path }) => path.includes(".route["))) checkHeaders(said, {}, answer, check);
    return wrong;
  }
  const last = seen.at(-1);
  if (last === undefined) {
    // Drawn for a destination that is not there, or where nothing runs.
    const lost = said.destinations.some(({ endpoints }) => endpoints === 0);
    check("a destination without endpoint", true, lost);
    check("status", true, answer.status === 503 || answer.status === 500);
    return wrong;
  }
  const possible = said.destinations.filter(({ host, subset }) => {
    const [service, version] = last.server.split(" ");
    return host.startsWith(`${service}.`) && (subset === "" || subset === version);
  });
  check("destination", true, possible.length > 0);
  check("method and path", [said.request.method, said.request.path], [last.method, last.path]);
  checkTries(said, asked, check);
  // The request and the answer are said as of the heaviest destination.
  if (said.destinations.length === 1) {
    check("authority", said.request.authority, last.authority);
    check("headers", sorted(said.request.headers), sorted(ownOf(last.headers)));
    checkHeaders(said, { "x-served": last.server, "x-env": "theirs" }, answer, check);
  }
  return wrong;
}

type Check = (what: string, expected: unknown, found: unknown) => void;

function checkTries({ retries }: Explanation, { headers, method }: Asked, check: Check): void {
  const { attempts = 0, retryOn = [] } = retries ?? {};
  const onStatus = retryOn.some((token) => ["5xx", "503", "gateway-error"].includes(token));
  const repeats = headers["x-fail"] !== undefined && onStatus && method !== "POST";
  check("tries", repeats ? attempts + 1 : 1, seen.length);
}

function checkHeaders(
  { responseHeaders: { set, add, remove } }: Explanation,
  theirs: Record<string, string>,
  { headers }: Answer,
  check: Check,
): void {
  const expected: Record<string, string> = { ...theirs };
  for (const name of remove) delete expected[name];
  Object.assign(expected, set);
  for (const [name, value] of Object.entries(add))
    expected[name] = expected[name] === undefined ? value : `${expected[name]},${value}`;
  const names = Object.keys(headers).filter((name) => /^(?:x-(?!inmesh|envoy|request-id)|access-control-)/.test(name));
  check("answer's headers", sorted(expected), sorted(Object.fromEntries(names.map((name) => [name, headers[name]!]))));
}

/** Without what clients and the mesh say on every request. */
function ownOf(headers: Record<string, string>): Record<string, string> {
  const foreign =
    /^(?:x-inmesh-|x-envoy-|x-request-id$|traceparent$|host$|connection$|content-length$|transfer-encoding$)/;
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !foreign.test(name)));
}

function sorted(record: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1));
}

describe("explain and the data path", () => {
  const outcomes = new Map<string, number>();

  it.each(Array.from({ length: 4 }, (_, seed) => seed))(
    "never differ, seed %s",
    async (seed) => {
      const random = seededRandom(1_000 + seed);
      let snapshot: Snapshot | undefined;
      for (let policy = 0; policy < POLICIES; policy++) {
        const generator = new RandomPolicy(random);
        const resources = resourcesOf([...services(), ...generator.documents()]);
        const version = store.nextVersion;
        snapshot = compile({ resources, workloads: [], client: CLIENT, problems: [], version }, snapshot);
        store.publish(snapshot);
        for (let number = 0; number < REQUESTS; number++) {
          const asked = generator.request();
          const said = explain(snapshot, asked);
          outcomes.set(said.outcome, (outcomes.get(said.outcome) ?? 0) + 1);
          const wrong = differences(said, asked, await ask(asked));
          const shown = wrong.length > 0 ? said : null;
          expect({ policy, asked, wrong, shown }).toEqual({ policy, asked, wrong: [], shown: null });
        }
      }
    },
    60_000,
  );

  it("met everything that can become of a request", () => {
    const wanted = [
      "route",
      "redirect",
      "directResponse",
      "notFound",
      "passThrough",
      "unknownHost",
      "fault",
      "noDestination",
    ];
    expect(wanted.filter((outcome) => (outcomes.get(outcome) ?? 0) < 10)).toEqual([]);
  });
});
