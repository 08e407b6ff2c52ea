/** The same requests over sockets, through the dispatcher: the data path does what real Istio did. */

import { connect } from "node:net";
import { Engine, explain, SnapshotStore } from "@inmesh/core";
import { MeshDispatcher } from "@inmesh/http";
import { Agent, request as send } from "undici";
import { afterAll, beforeAll, expect, it } from "vitest";
import { sorted } from "../../../packages/core/src/testing/recorded-cases.test.helper.js";
import { Backends, isOfMesh } from "./backends.js";
import { judged, MISSING, PORT, type RecordedAnswer, type RecordedRequest, readRecording } from "./recorded.js";
import { WANTED_DIFFERENCES } from "./wanted-differences.js";

/** Of every answer, whatever policy says. */
const ANSWER = new Set([
  "connection",
  "content-length",
  "content-type",
  "date",
  "keep-alive",
  "location",
  "transfer-encoding",
]);

/** Answers that begin with Envoy's words: those that are none of the mesh's errors, and faults. */
const OF_ENVOY = new Set(["undefined", "FAULT_ABORTED"]);

const backends = new Backends();
const store = new SnapshotStore();
const engine = new Engine({ store });
// Names nobody knows are not looked up here: they all lead to one server.
const passThrough = new Agent({
  connect: (_, callback) => {
    const socket = connect(backends.outside, "127.0.0.1", () => callback(null, socket));
  },
});
const dispatcher = new MeshDispatcher({ engine, passThrough });

beforeAll(async () => {
  if (MISSING === undefined) await backends.start(readRecording());
});

afterAll(async () => {
  await dispatcher.destroy();
  await passThrough.destroy();
  engine.close();
  await backends.stop();
});

async function ask({ method, host, path, headers = {} }: RecordedRequest): Promise<RecordedAnswer> {
  backends.last = undefined;
  // A URL loses the case of a host and the port it has anyway; the header keeps them.
  const answer = await send(`http://${host}${path}`, {
    method: method as "GET",
    headers: { ...headers, host },
    dispatcher,
  });
  const body = await answer.body.text();
  const seen = backends.last as Backends["last"];
  if (seen?.host === "outside") return { passThrough: true };
  const added = Object.entries(answer.headers).filter(([name]) => !ANSWER.has(name) && !isOfMesh(name));
  const { location } = answer.headers;
  return {
    status: answer.statusCode,
    ...(seen && {
      host: seen.host,
      subset: seen.version,
      upstream: { method: seen.method, path: seen.path, authority: seen.authority, headers: seen.headers },
    }),
    ...(location !== undefined && { location: String(location) }),
    // Where Envoy says nothing, the mesh says why; after Envoy's words, on the next line, too.
    ...(body !== "" && OF_ENVOY.has(String(answer.headers["x-inmesh-error"])) && { body: body.split("\n")[0] }),
    ...(added.length > 0 && {
      responseHeaders: Object.fromEntries(added.map(([name, value]) => [name, textOf(value)])),
    }),
  };
}

function textOf(value: string | string[] | undefined): string {
  return Array.isArray(value) ? value.join(",") : (value ?? "");
}

it.skipIf(MISSING !== undefined)(
  "every recorded request arrives where, and is answered as, it was by Istio",
  async () => {
    const wrong: unknown[] = [];
    let count = 0;
    for (const { id, snapshot, request, wanted } of judged(readRecording(), backends.portOf)) {
      if (store.current !== snapshot) store.publish(snapshot);
      count += 1;
      const found = await ask(request);
      const { destinations } = explain(snapshot, { ...request, port: PORT });
      // A route to the whole service leaves open which endpoint answers.
      const subset = destinations.some((each) => each.subset === "") ? wanted.subset : found.subset;
      const same = JSON.stringify(sorted({ ...found, subset })) === JSON.stringify(sorted(wanted));
      if (!same) wrong.push({ id, request, wanted, found });
    }
    expect({ count, wrongCount: wrong.length, first: wrong.slice(0, 3) }).toEqual({
      count: 4_368 - WANTED_DIFFERENCES.size,
      wrongCount: 0,
      first: [],
    });
  },
  120_000,
);
