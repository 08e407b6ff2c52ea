/** Takes spans as an OTLP backend does (http/json), and keeps them. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

export interface SinkSpan {
  readonly name: string;
  /** 2: SERVER, 3: CLIENT, as OTLP counts. */
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parent: string;
  readonly service: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events: readonly string[];
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly failed: boolean;
}

export interface OtlpSink {
  readonly url: string;
  readonly spans: readonly SinkSpan[];
  close(): Promise<void>;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly doubleValue?: number;
  readonly boolValue?: boolean;
}
interface Pair {
  readonly key: string;
  readonly value: Value;
}
interface OtlpSpan {
  readonly name: string;
  readonly kind: number;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly attributes?: readonly Pair[];
  readonly events?: readonly { readonly name: string }[];
  readonly links?: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly status?: { readonly code?: number };
}
interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Pair[] };
    readonly scopeSpans: readonly { readonly spans: readonly OtlpSpan[] }[];
  }[];
}

/** Of STATUS_CODE_ERROR. */
const ERROR = 2;

export async function openSink(): Promise<OtlpSink> {
  const spans: SinkSpan[] = [];
  const server = createServer(async (request, response) => {
    if (request.url !== "/v1/traces") {
      response.writeHead(404).end();
      return;
    }
    const { resourceSpans } = (await json(request)) as Export;
    for (const { resource, scopeSpans } of resourceSpans) {
      const service = String(read(resource.attributes)["service.name"]);
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) spans.push(readSpan(span, service));
    }
    response.setHeader("content-type", "application/json");
    response.end("{}");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function readSpan(span: OtlpSpan, service: string): SinkSpan {
  const { name, kind, traceId, spanId, parentSpanId = "", events = [], links = [] } = span;
  return {
    ...{ name, kind, traceId, spanId, parent: parentSpanId, service },
    attributes: read(span.attributes ?? []),
    events: events.map((event) => event.name),
    links: links.map((link) => ({ traceId: link.traceId, spanId: link.spanId })),
    failed: span.status?.code === ERROR,
  };
}

function read(pairs: readonly Pair[]): Record<string, unknown> {
  return Object.fromEntries(
    pairs.map(({ key, value }) => [
      key,
      value.stringValue ??
        (value.intValue === undefined ? (value.doubleValue ?? value.boolValue) : Number(value.intValue)),
    ]),
  );
}
