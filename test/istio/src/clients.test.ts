/** 300 of the requests recorded with Istio, through each of Node's other clients. */

import dns from "node:dns";
import { seededRandom } from "@inmesh/core";
import { installGlobalDispatcher, patchHttp, patchUndici } from "@inmesh/http/internal";
import { expect, it } from "vitest";
import { type Ability, type Caller, givenClients, patchedClients } from "./clients.js";
import { DataPath, isAsRecorded } from "./data-path.js";
import { ISTIO_MISSING, readIstioRoutes } from "./istio-recording.js";
import { OwnHeaders } from "./own-headers.js";
import { type Judged, judged, type RecordedAnswer, type RecordedRequest } from "./recorded.js";

const REQUESTS = 300;

/** One client's. */
interface Part {
  readonly caller: Caller;
  readonly own: OwnHeaders;
  readonly cases: ReadonlySet<Judged>;
  /** What requests asked of the client and it cannot do: they were left out. */
  readonly lacking: ReadonlySet<Ability>;
  readonly wrong: unknown[];
}

it("every other client of Node is led and answered as Istio led and answered", async (context) => {
  if (ISTIO_MISSING !== undefined) return context.skip(ISTIO_MISSING);
  const recording = readIstioRoutes();
  await using dataPath = await DataPath.start(recording);
  using lookups = new Lookups();
  using _ = patched(dataPath);
  const all = [...judged(recording, dataPath.backends.portOf)];
  dataPath.prepare(all[0]!); // the recording is not empty
  const order = shuffled(all);
  const parts: Part[] = [];
  for (const caller of [...patchedClients(), ...givenClients(dataPath)]) {
    parts.push(partOf(caller, await OwnHeaders.of(caller.client, dataPath), order));
  }
  for (const each of all) {
    dataPath.prepare(each); // even if nobody asks: the store takes snapshots in their order
    for (const { caller, own, cases, wrong } of parts) {
      if (!cases.has(each)) continue;
      dataPath.prepare(each);
      const { id, request, wanted } = each;
      const found = own.taken(await ask(caller, request, dataPath, lookups), each);
      if (!isAsRecorded(each, found)) wrong.push({ id, request, wanted, found });
    }
  }
  const told = parts.map(({ caller: { client }, cases, lacking, wrong }) => ({
    ...{ client: client.name, judged: cases.size, lacking: [...lacking].sort() },
    ...{ wrongCount: wrong.length, first: wrong.slice(0, 2) },
  }));
  const wanted = parts.map(({ caller: { client, cannot } }) => ({
    ...{ client: client.name, judged: REQUESTS, lacking: Object.keys(cannot).sort() },
    ...{ wrongCount: 0, first: [] },
  }));
  expect(told).toEqual(wanted);
}, 60_000);

/** The first requests in this order that the client can say. */
function partOf(caller: Caller, own: OwnHeaders, order: readonly Judged[]): Part {
  const cases = new Set<Judged>();
  const lacking = new Set<Ability>();
  for (const each of order) {
    if (cases.size === REQUESTS) break;
    const { host } = each.request;
    const isUrls = new URL(`http://${host}`).host === host;
    if (!isUrls && caller.cannot.ownHost !== undefined) lacking.add("ownHost");
    else if (own.matter(each)) lacking.add("bareHeaders");
    else cases.add(each);
  }
  return { caller, own, cases, lacking, wrong: [] };
}

async function ask(
  { client }: Caller,
  { method, host, path, headers = {} }: RecordedRequest,
  dataPath: DataPath,
  lookups: Lookups,
): Promise<RecordedAnswer> {
  lookups.names.clear();
  const request = { url: `http://${host}${path}`, method, headers: { ...headers, host } };
  try {
    const answer = await client.call({ ...request, body: undefined, signal: undefined });
    const chunks: Uint8Array[] = [];
    for await (const chunk of answer.body) chunks.push(chunk);
    return dataPath.recorded({ ...answer, body: Buffer.concat(chunks).toString() });
  } catch (error) {
    if (lookups.names.has(new URL(request.url).hostname)) return { passThrough: true };
    return { body: `${error}, caused by ${(error as Error).cause}` };
  }
}

/** Whoever looks a name up has left the mesh; nobody finds anything. */
class Lookups implements Disposable {
  readonly names = new Set<string>();
  readonly #lookup = dns.lookup;

  constructor() {
    dns.lookup = ((name: string, _: unknown, callback: (error: Error) => void) => {
      this.names.add(name);
      callback(Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: "ENOTFOUND" }));
    }) as unknown as typeof dns.lookup;
  }

  [Symbol.dispose](): void {
    dns.lookup = this.#lookup;
  }
}

function patched({ client }: DataPath): Disposable {
  const undos = [patchHttp(client), patchUndici(client), installGlobalDispatcher(client)];
  return {
    [Symbol.dispose]() {
      for (const undo of undos.reverse()) undo();
    },
  };
}

function shuffled(cases: readonly Judged[]): readonly Judged[] {
  const random = seededRandom(2_026);
  const places = cases.map((each) => ({ each, place: random.next() }));
  return places.sort((a, b) => a.place - b.place).map(({ each }) => each);
}
