/** One request to one port, in the protocol that its lease names. Nothing here is meshed. */

import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { request as httpsRequest } from "node:https";

export type Protocol = "http" | "https" | "http2" | "h2 over TLS";

export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Whether the server asked not to be called again on the connection. */
  readonly last: boolean;
}

export async function ask(
  protocol: Protocol,
  port: number,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  if (protocol === "http2" || protocol === "h2 over TLS") {
    const scheme = protocol === "http2" ? "http" : "https";
    const session = connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
    let last = false;
    session.on("goaway", () => {
      last = true;
    });
    try {
      const answer = await askOn(session, path, headers);
      return { ...answer, last };
    } finally {
      session.close();
    }
  }
  const request = protocol === "http" ? httpRequest : httpsRequest;
  const sent = request({ port, host: "127.0.0.1", path, headers, agent: false, rejectUnauthorized: false } as object);
  sent.end();
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode ?? 0, text, last: response.headers.connection === "close" };
}

export async function askOn(
  session: ClientHttp2Session,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const stream = session.request({ ":path": path, ...headers });
  const [head] = await once(stream, "response");
  let text = "";
  for await (const chunk of stream) text += chunk;
  return { status: head[":status"], text };
}
