/** A real Jaeger, all in one process and memory: OTLP in, its query API out. */

import { type ChildProcess, spawn } from "node:child_process";
import { freePort, until } from "../prometheus/prometheus.js";

export interface JaegerSpan {
  readonly id: string;
  readonly service: string;
  readonly name: string;
  /** `server`, `client`. */
  readonly kind: string;
  /** Id of its parent; empty for the first one. */
  readonly parent: string;
  readonly tags: Readonly<Record<string, unknown>>;
}

interface Tag {
  readonly key: string;
  readonly value: unknown;
}
interface Trace {
  readonly spans: readonly {
    readonly spanID: string;
    readonly operationName: string;
    readonly processID: string;
    readonly references: readonly { readonly refType: string; readonly spanID: string }[];
    readonly tags: readonly Tag[];
    readonly warnings?: readonly string[] | null;
  }[];
  readonly processes: Readonly<Record<string, { readonly serviceName: string }>>;
}

/** Listeners that nobody here needs. */
const UNUSED = [
  ...["admin.http", "collector.grpc-server", "collector.http-server", "collector.otlp.grpc", "http-server"],
  ...["query.grpc-server"],
].map((listener) => `--${listener}.host-port=127.0.0.1:0`);
const UNUSED_DATAGRAMS = ["jaeger-binary", "jaeger-compact", "zipkin-compact"].map(
  (processor) => `--processor.${processor}.server-host-port=127.0.0.1:0`,
);

export class Jaeger implements AsyncDisposable {
  /** For `OTEL_EXPORTER_OTLP_ENDPOINT`. */
  readonly otlpUrl: string;
  readonly #queryUrl: string;
  readonly #child: ChildProcess;

  private constructor(otlpUrl: string, queryUrl: string, child: ChildProcess) {
    this.otlpUrl = otlpUrl;
    this.#queryUrl = queryUrl;
    this.#child = child;
  }

  static async start(binary: string): Promise<Jaeger> {
    const [otlp, query] = [await freePort(), await freePort()];
    const args = [
      ...UNUSED,
      ...UNUSED_DATAGRAMS,
      ...["--collector.otlp.enabled=true", `--collector.otlp.http.host-port=127.0.0.1:${otlp}`],
      ...[`--query.http-server.host-port=127.0.0.1:${query}`, "--log-level=error"],
    ];
    const env = { PATH: process.env["PATH"], SPAN_STORAGE_TYPE: "memory", JAEGER_DISABLED: "true" };
    const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"], env });
    let said = "";
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    const started = new Jaeger(`http://127.0.0.1:${otlp}`, `http://127.0.0.1:${query}`, child);
    try {
      await until(async () => (await started.#ask<unknown[]>("services")) !== undefined, "Jaeger to be ready");
    } catch (error) {
      await started[Symbol.asyncDispose]();
      throw new Error(`Jaeger did not start: ${said}`, { cause: error });
    }
    return started;
  }

  /** Once it has so many spans. */
  async trace(traceId: string, spans: number): Promise<readonly JaegerSpan[]> {
    let found: Trace | undefined;
    await until(async () => {
      [found] = await this.#ask<Trace[]>(`traces/${traceId}`);
      return (found?.spans.length ?? 0) >= spans;
    }, `Jaeger to show ${spans} spans of ${traceId}`);
    return readTrace(found as Trace); // there, or until has thrown
  }

  /** Newest traces of a service. @returns their ids */
  async tracesOf(service: string): Promise<readonly string[]> {
    const traces = await this.#ask<{ traceID: string }[]>(`traces?service=${service}&limit=20&lookback=1h`);
    return traces.map(({ traceID }) => traceID);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await gone;
  }

  async #ask<Data>(path: string): Promise<Data> {
    const response = await fetch(`${this.#queryUrl}/api/${path}`);
    return ((await response.json()) as { data: Data }).data;
  }
}

function readTrace({ spans, processes }: Trace): readonly JaegerSpan[] {
  return spans.map(({ spanID, operationName, processID, references, tags: list }) => {
    const tags = Object.fromEntries(list.map(({ key, value }) => [key, value]));
    return {
      ...{ id: spanID, service: processes[processID]?.serviceName ?? "", name: operationName, tags },
      kind: String(tags["span.kind"]),
      parent: references.find(({ refType }) => refType === "CHILD_OF")?.spanID ?? "",
    };
  });
}
