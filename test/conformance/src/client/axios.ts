/** axios on its adapters. */

import { Readable } from "node:stream";
import axios, { type AxiosRequestConfig } from "axios";
import { type Client, flat, nothing } from "./client.js";

export function axiosClient(name: string, config: () => AxiosRequestConfig, lacks: Client["lacks"] = {}): Client {
  return {
    name,
    followsRedirects: true,
    decompresses: true,
    lacks,
    async call({ url, method, headers, body, signal }) {
      const settings = config();
      const data = body instanceof Readable && settings.adapter === "fetch" ? Readable.toWeb(body) : body;
      const reply = await axios.request({
        url,
        method,
        headers: { ...headers },
        data,
        responseType: "stream",
        validateStatus: null,
        transformRequest: [(given: unknown) => given],
        ...(signal && { signal }),
        ...settings,
      });
      const trailers = (reply.data as { trailers?: object } | null)?.trailers;
      return {
        status: reply.status,
        headers: flat({ ...reply.headers }),
        body: reply.data ?? nothing(),
        ...(trailers !== undefined && { trailers: () => flat(reply.data.trailers) }),
      };
    },
  };
}
