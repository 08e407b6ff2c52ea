/** An HTTP client that is loaded with its first request. Seams hold it; it holds nothing until then. */

import type { HttpClient } from "@inmesh/http/internal";

type Client = Pick<HttpClient, keyof HttpClient>;

class LazyClient implements Client {
  readonly #load: () => HttpClient;
  #client: HttpClient | undefined;

  constructor(load: () => HttpClient) {
    this.#load = load;
  }

  get loaded(): HttpClient {
    this.#client ??= this.#load();
    return this.#client;
  }

  get engine(): HttpClient["engine"] {
    return this.loaded.engine;
  }

  get transport(): HttpClient["transport"] {
    return this.loaded.transport;
  }

  get origins(): HttpClient["origins"] {
    return this.loaded.origins;
  }

  get notices(): HttpClient["notices"] {
    return this.loaded.notices;
  }

  get undici(): HttpClient["undici"] {
    return this.loaded.undici;
  }

  get plain(): HttpClient["plain"] {
    return this.loaded.plain;
  }

  dispatch(...args: Parameters<HttpClient["dispatch"]>): boolean {
    return this.loaded.dispatch(...args);
  }

  dispatcher(...args: Parameters<HttpClient["dispatcher"]>): ReturnType<HttpClient["dispatcher"]> {
    return this.loaded.dispatcher(...args);
  }

  claims(...args: Parameters<HttpClient["claims"]>): ReturnType<HttpClient["claims"]> {
    return this.loaded.claims(...args);
  }

  takes(...args: Parameters<HttpClient["takes"]>): boolean {
    return this.loaded.takes(...args);
  }

  start(...args: Parameters<HttpClient["start"]>): boolean {
    return this.loaded.start(...args);
  }

  newScope(): ReturnType<HttpClient["newScope"]> {
    return this.loaded.newScope();
  }

  abortError(): Error {
    return this.loaded.abortError();
  }

  parseHeaders(...args: Parameters<HttpClient["parseHeaders"]>): ReturnType<HttpClient["parseHeaders"]> {
    return this.loaded.parseHeaders(...args);
  }
}

export function lazyClient(load: () => HttpClient): HttpClient {
  return new LazyClient(load) as unknown as HttpClient; // every public member is there: `implements Client` says so
}
