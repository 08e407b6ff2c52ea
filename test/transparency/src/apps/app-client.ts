/** A user of an app: requests over a connection of their own each, as much of their answers as does not depend on time. */

import http, { type IncomingHttpHeaders } from "node:http";

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON unless it is text. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** These tell when something was made, or how long it took. */
const OF_THE_MOMENT = ["date", "last-modified", "etag", "expires", "x-response-time", "set-cookie"];
/** Of one exchange, in ms. */
const PATIENCE_MS = 20_000;

export class AppClient {
  readonly port: number;

  constructor(port: number) {
    this.port = port;
  }

  ask(path: string, { method = "GET", headers = {}, body }: Asked = {}): Promise<Answer> {
    const text = body === undefined || typeof body === "string" ? body : JSON.stringify(body);
    const kind = typeof body === "object" ? { "content-type": "application/json" } : {};
    const all = {
      ...kind,
      ...(text !== undefined && { "content-length": String(Buffer.byteLength(text)) }),
      ...headers,
    };
    return new Promise((resolve, reject) => {
      const options = { host: "127.0.0.1", port: this.port, path, method, headers: all, agent: false as const };
      const request = http.request(options, async (response) => {
        try {
          response.setEncoding("utf8");
          let received = "";
          for await (const chunk of response) received += chunk;
          const lasting = Object.entries(response.headers).filter(([name]) => !OF_THE_MOMENT.includes(name));
          resolve({ status: response.statusCode, headers: Object.fromEntries(lasting), body: received });
        } catch (error) {
          reject(error);
        }
      });
      request.setTimeout(PATIENCE_MS, () => request.destroy(new Error(`${method} ${path}: no answer`)));
      request.on("error", reject);
      request.end(text);
    });
  }

  /** @returns the first message that a WebSocket gets, as far as it is text of less than 64 KiB */
  firstMessage(
    path: string,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<{ protocol: unknown; message: string }> {
    return new Promise((resolve, reject) => {
      const key = Buffer.alloc(16, "key").toString("base64");
      const opening = {
        connection: "Upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": key,
      };
      const request = http.get({
        host: "127.0.0.1",
        port: this.port,
        path,
        headers: { ...opening, ...headers },
        agent: false,
      });
      request.setTimeout(PATIENCE_MS, () => request.destroy(new Error(`${path}: no WebSocket`)));
      request.on("error", reject);
      request.on("response", ({ statusCode }) => reject(new Error(`${path} answered ${statusCode}, no WebSocket`)));
      request.on("upgrade", (response, socket, head) => {
        let received = head;
        const look = (): void => {
          const message = textOf(received);
          if (message === undefined) return;
          resolve({ protocol: response.headers["sec-websocket-protocol"], message });
          socket.destroy();
        };
        socket.on("data", (chunk: Buffer) => {
          received = Buffer.concat([received, chunk]);
          look();
        });
        socket.on("error", reject);
        socket.on("close", () => reject(new Error(`${path}: closed without a message`)));
        look();
      });
    });
  }
}

/** RFC 6455 §5.2: an unmasked frame with a length of one or two bytes. */
function textOf(frame: Buffer): string | undefined {
  if (frame.length < 4) return undefined;
  const short = frame[1]! & 0x7f; // long enough, as seen above
  const [start, length] = short === 126 ? [4, frame.readUInt16BE(2)] : [2, short];
  return frame.length < start + length ? undefined : frame.toString("utf8", start, start + length);
}
