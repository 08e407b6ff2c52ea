/** The data path over real sockets: an engine, and the services of a recording behind it. */

import { connect } from "node:net";
import { Engine, explain, SnapshotStore } from "@inmesh/core";
import { MeshDispatcher } from "@inmesh/http";
import { HttpClient, HttpTransport } from "@inmesh/http/internal";
import type { Destination } from "@inmesh/model";
import * as undici from "undici";
import { AskedRequest } from "../../../packages/core/src/explain/asked-request.js";
import { Backends, isOfMesh } from "./backends.js";
import { isSame, type Judged, PORT, type RecordedAnswer, type Recording } from "./recorded.js";

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

export interface Answer {
  readonly status: number;
  /** Names in lower case, repeated lines joined. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export class DataPath implements AsyncDisposable {
  readonly backends = new Backends();
  readonly store = new SnapshotStore();
  readonly engine: Engine;
  readonly transport: HttpTransport;
  readonly dispatcher: MeshDispatcher;
  readonly client: HttpClient;
  /** Names nobody knows are not looked up here: they all lead to one server. */
  readonly passThrough = new undici.Agent({
    connect: (_, callback) => {
      const socket = connect(this.backends.outside, "127.0.0.1", () => callback(null, socket));
    },
  });
  readonly #tellsBodies: boolean;
  /** Where chance falls, in [0, 1). */
  #share = 0;

  private constructor({ tellsBodies }: Recording) {
    this.#tellsBodies = tellsBodies;
    const { store, passThrough } = this;
    const random = { next: () => this.#share, int: () => 0 };
    this.engine = new Engine({ store, random, onEndpointRemoved: (state) => this.transport.onEndpointRemoved(state) });
    this.transport = new HttpTransport({ clock: this.engine.clock, undici: () => undici });
    this.client = new HttpClient({ engine: this.engine, transport: this.transport, undici: () => undici });
    this.dispatcher = new MeshDispatcher({ engine: this.engine, transport: this.transport, passThrough });
  }

  static async start(recording: Recording): Promise<DataPath> {
    const path = new DataPath(recording);
    await path.backends.start(recording);
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.transport.destroy(new Error("the test is over"));
    await this.passThrough.destroy();
    this.engine.close();
    await this.backends.stop();
  }

  /** Puts the rules of the case in force, and chance where it was in the recording. */
  prepare({ snapshot, request, wanted }: Judged): void {
    if (this.store.current !== snapshot) this.store.publish(snapshot);
    this.backends.expect(request.backendHeaders);
    const action = snapshot.routes
      .lookup(request.host.split(":")[0]!, PORT)
      ?.find(new AskedRequest({ ...request, port: PORT }))?.action; // a host is never empty
    this.#share = 0;
    if (action?.kind !== "forward") return;
    // A share that got no answer from a service went to the one that is not there.
    const isWanted = ({ host, cluster }: Destination): boolean =>
      wanted.host === undefined ? snapshot.cluster(cluster) === undefined : host === wanted.host;
    const index = action.destinations.findIndex(isWanted);
    if (index < 0) return;
    const before = action.destinations.slice(0, index).reduce((sum, { weight }) => sum + weight, 0);
    this.#share = (before + action.destinations[index]!.weight / 2) / action.totalWeight; // just found
  }

  /** In the recording's own form. */
  recorded({ status, headers, body }: Answer): RecordedAnswer {
    const { seen } = this.backends;
    if (seen?.host === "outside") return { passThrough: true };
    const added = Object.entries(headers).filter(([name]) => !ANSWER.has(name) && !isOfMesh(name));
    const { location } = headers;
    // Where Envoy says nothing, the mesh says why; after Envoy's words, on the next line, too.
    const hasWords = this.#tellsBodies && body !== "" && OF_ENVOY.has(String(headers["x-inmesh-error"]));
    return {
      status,
      ...(seen && {
        host: seen.host,
        subset: seen.version,
        upstream: { method: seen.method, path: seen.path, authority: seen.authority, headers: seen.headers },
      }),
      ...(location !== undefined && { location }),
      ...(hasWords && { body: body.split("\n")[0]! }), // of text there is a first line
      ...(added.length > 0 && { responseHeaders: Object.fromEntries(added) }),
    };
  }
}

/** A route to the whole service leaves open which endpoint answers. */
export function isAsRecorded({ snapshot, request, wanted }: Judged, found: RecordedAnswer): boolean {
  const { destinations } = explain(snapshot, { ...request, port: PORT });
  const isOpen = destinations.some(({ subset }) => subset === "");
  return isSame(
    { ...inOneLine(found), subset: isOpen ? wanted.subset : found.subset },
    { ...inOneLine(wanted), subset: wanted.subset },
  );
}

/** Clients join repeated lines with a blank or without. */
function inOneLine(answer: RecordedAnswer): RecordedAnswer {
  const { responseHeaders } = answer;
  if (responseHeaders === undefined) return answer;
  const lines = Object.entries(responseHeaders).map(([name, value]) => [name, value.replaceAll(", ", ",")]);
  return { ...answer, responseHeaders: Object.fromEntries(lines) };
}
