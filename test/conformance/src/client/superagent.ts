/** superagent, piped out of so that it does not read ahead. */

import type { IncomingMessage } from "node:http";
import { PassThrough, Readable } from "node:stream";
import superagent from "superagent";
import { type Client, flat } from "./client.js";

/** @param redirects followed; undefined leaves it to superagent */
export function superagentClient(redirects?: number): Client {
  return {
    name: "superagent",
    followsRedirects: true,
    decompresses: true,
    lacks: {},
    call: ({ url, method, headers, body, signal }) =>
      new Promise((resolve, reject) => {
        const sink = new PassThrough();
        sink.on("error", () => {}); // whoever reads it hears of it
        const request = superagent(method, url)
          .set({ ...headers })
          .ok(() => true);
        if (redirects !== undefined) request.redirects(redirects);
        request.on("error", (error: Error) => {
          reject(error);
          sink.destroy(error);
        });
        request.on("response", (reply: superagent.Response & { res: IncomingMessage }) => {
          const { res } = reply;
          reply.on("error", (error: Error) => sink.destroy(error));
          // What it pipes from may break off without an error.
          res.once("close", () => {
            if (!res.complete) sink.destroy(new Error("aborted"));
          });
          resolve({
            status: reply.status,
            headers: flat(reply.headers),
            body: sink,
            trailers: () => flat(res.trailers),
          });
        });
        signal?.addEventListener("abort", () => {
          request.abort();
          reject(signal.reason);
          sink.destroy(signal.reason);
        });
        if (signal?.aborted) return reject(signal.reason);
        if (body instanceof Readable) {
          request.buffer(true).parse((res, done) => {
            res.on("data", (chunk: Buffer) => sink.write(chunk));
            res.on("end", () => {
              sink.end();
              done(null, undefined);
            });
          });
          body.pipe(request as unknown as NodeJS.WritableStream);
          return;
        }
        if (body !== undefined) request.send(body as unknown as string);
        request.pipe(sink);
      }),
  };
}
