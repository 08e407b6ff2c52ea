/** npm undici's own ways to ask, over the global dispatcher or one that is named. */

import { PassThrough, Readable } from "node:stream";
import { type Dispatcher, pipeline, request, stream } from "undici";
import { type Client, flat, type Incoming } from "./client.js";

const TRAITS = { followsRedirects: false, decompresses: false, lacks: {} } as const;

type Method = Dispatcher.HttpMethod;

/** @param dispatcher asked for each request: a Pool is made for one origin */
export function undiciRequest(name: string, dispatcher?: (url: string) => Dispatcher): Client {
  return {
    ...TRAITS,
    name,
    async call({ url, method, headers, body = null, signal }) {
      const options = { method: method as Method, headers, body, ...(signal && { signal }) };
      const reply = await request(url, { ...options, ...(dispatcher && { dispatcher: dispatcher(url) }) });
      return {
        status: reply.statusCode,
        headers: flat(reply.headers),
        body: reply.body,
        trailers: () => flat(reply.trailers),
      };
    },
  };
}

export function undiciStream(name: string, dispatcher?: Dispatcher): Client {
  return {
    ...TRAITS,
    name,
    call: ({ url, method, headers, body = null, signal }) =>
      new Promise((resolve, reject) => {
        const sink = new PassThrough();
        sink.on("error", () => {}); // whoever reads it hears of it
        let trailers: object = {};
        const options = { method: method as Method, headers, body, ...(signal && { signal }) };
        stream(url, { ...options, ...(dispatcher && { dispatcher }) }, ({ statusCode, headers: answered }) => {
          resolve({ status: statusCode, headers: flat(answered), body: sink, trailers: () => flat(trailers) });
          return sink;
        }).then(
          (done) => {
            trailers = done.trailers;
          },
          (error: Error) => {
            reject(error);
            sink.destroy(error);
          },
        );
      }),
  };
}

export function undiciPipeline(name: string, dispatcher?: Dispatcher): Client {
  return {
    ...TRAITS,
    name,
    lacks: { trailers: "the handler of undici.pipeline is given none" },
    call: ({ url, method, headers, body, signal }) =>
      new Promise<Incoming>((resolve, reject) => {
        const options = { method: method as Method, headers, ...(signal && { signal }) };
        const duplex = pipeline(url, { ...options, ...(dispatcher && { dispatcher }) }, (reply) => {
          resolve({ status: reply.statusCode, headers: flat(reply.headers), body: duplex });
          return reply.body;
        });
        duplex.on("error", reject);
        if (body instanceof Readable) body.pipe(duplex);
        else duplex.end(body);
      }),
  };
}
