/** One process of the mesh that policy speaks to, with an OTLP backend: what it sent is read once it has ended. */

import { writeFileSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { openSink, type SinkSpan } from "./otlp-sink.js";
import { MESH, Programs, until } from "./run.js";

export const TRACE = "0af7651916cd43dd8448eb211c80319c";
export const CALLER = "b7ad6b7169203331";
export const SAMPLED = `00-${TRACE}-${CALLER}-01`;
export const UNSAMPLED = `00-${TRACE}-${CALLER}-00`;

/** OTLP's numbers. */
export const SERVER = 2;
export const CLIENT = 3;

type Env = Readonly<Record<string, string>>;
type Lines = Readonly<Record<string, readonly string[]>>;

/** The service `web`: `/ask` calls its own `/leaf`, which tells what reached it. */
export interface TracedWeb {
  /** Calls it from outside of the mesh. @returns what the leaf got: values by lower-case name */
  ask(headers?: Env, path?: string): Promise<Lines>;
  /** Ends all. @returns every span that was sent @throws where the process warned of anything */
  finish(): Promise<readonly SinkSpan[]>;
  /** Ends all. @returns what the process wrote to stderr */
  end(): Promise<string>;
}

/** @param yaml of the registry, from the first request on */
export async function openWeb(yaml: string, env: Env = {}): Promise<TracedWeb> {
  const sink = await openSink();
  const programs = new Programs();
  writeFileSync(join(programs.folder, "policy.yaml"), yaml);
  const program = programs.run([...MESH, "web.mjs"], "web", {
    ...{ OTEL_EXPORTER_OTLP_ENDPOINT: sink.url, OTEL_EXPORTER_OTLP_PROTOCOL: "http/json", ...env },
  });
  const portOf = (): string | undefined => /^listening (\d+)$/m.exec(program.out())?.[1];
  await until(
    () => portOf() !== undefined,
    () => `the service: ${program.out()}${program.errors()}`,
  );
  const end = async (): Promise<string> => {
    program.child.kill("SIGTERM"); // a drain sends what is left
    await program.ended;
    await programs.close();
    await sink.close();
    return program.errors();
  };
  return {
    async ask(headers = {}, path = "/ask") {
      const sent = request({ port: portOf(), host: "127.0.0.1", path, headers, agent: false }).end();
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        sent.once("response", resolve).once("error", (error) => reject(new Error(program.errors(), { cause: error })));
      });
      const body = await text(response);
      if (response.statusCode !== 200) throw new Error(`${path} was answered ${response.statusCode} ${body}`);
      return JSON.parse(body) as Lines;
    },
    async finish() {
      const errors = await end();
      if (errors !== "") throw new Error(errors);
      return sink.spans;
    },
    end,
  };
}
