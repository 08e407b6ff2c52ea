/** One request as bytes, on a connection of its own: clients would tidy it up. */

import { connect } from "node:net";

export interface RawAnswer {
  /** 0: the connection ended without an answer. */
  readonly status: number;
  readonly body: string;
}

const ANSWERS_MS = 10_000;

/** @param text latin1, each character one byte; it must ask for the connection to be closed */
export function sendRaw(port: number, text: string): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    socket.setTimeout(ANSWERS_MS, () => socket.destroy(new Error(`no answer to ${JSON.stringify(text)}`)));
    socket.setEncoding("latin1");
    socket.on("connect", () => socket.write(text, "latin1"));
    socket.on("data", (piece) => {
      answer += piece;
      if (isWhole(answer)) socket.destroy(); // Envoy takes its time to close
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "ECONNRESET" && error.code !== "EPIPE") reject(error);
    });
    socket.on("close", () => {
      const [head = "", ...rest] = answer.split("\r\n\r\n");
      resolve({
        status: Number(/^HTTP\/1\.[01] (\d+)/.exec(head)?.[1] ?? 0),
        body: bodyOf(head, rest.join("\r\n\r\n")),
      });
    });
  });
}

function isWhole(answer: string): boolean {
  const [head = "", ...rest] = answer.split("\r\n\r\n");
  const length = /^content-length: *(\d+)/im.exec(head)?.[1];
  return length !== undefined && rest.join("\r\n\r\n").length >= Number(length);
}

function bodyOf(head: string, rest: string): string {
  if (!/^transfer-encoding: *chunked/im.test(head)) return rest;
  let [body, left] = ["", rest];
  for (let size = chunkSize(left); size > 0; size = chunkSize(left)) {
    const at = left.indexOf("\r\n") + 2;
    body += left.slice(at, at + size);
    left = left.slice(at + size + 2);
  }
  return body;
}

function chunkSize(text: string): number {
  return Number.parseInt(text, 16) || 0;
}
