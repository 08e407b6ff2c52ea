/** Takes log records as an OTLP backend does (http/json), and keeps them. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

export interface SinkRecord {
  readonly service: string;
  readonly severity: string;
  readonly body: string;
  readonly attributes: Readonly<Record<string, unknown>>;
}

export interface LogSink extends AsyncDisposable {
  readonly url: string;
  readonly records: readonly SinkRecord[];
  /** Requests that came, whatever they were. */
  readonly asked: readonly string[];
}

/** Of opentelemetry-proto: a value is an object with one key that says its kind. */
type Value = Readonly<Record<string, unknown>>;
interface Pair {
  readonly key: string;
  readonly value: Value;
}
interface Export {
  readonly resourceLogs: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeLogs: readonly {
      readonly logRecords: readonly {
        readonly severityText: string;
        readonly body: Value;
        readonly attributes: readonly Pair[];
      }[];
    }[];
  }[];
}

export async function openLogSink(): Promise<LogSink> {
  const records: SinkRecord[] = [];
  const asked: string[] = [];
  const server = createServer(async (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["content-type"]}`);
    const { resourceLogs } = (await json(request)) as Export;
    for (const { resource, scopeLogs } of resourceLogs) {
      const service = String(read(resource.attributes)["service.name"]);
      for (const { severityText, body, attributes } of scopeLogs.flatMap(({ logRecords }) => logRecords))
        records.push({ service, severity: severityText, body: String(plainOf(body)), attributes: read(attributes) });
    }
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    records,
    asked,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function read(pairs: readonly Pair[]): Record<string, unknown> {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, plainOf(value)]));
}

function plainOf(value: Value): unknown {
  return Object.values(value)[0];
}
