/** Reads what the services noted (services/journal.js), as it grows, and sums it up per request. */

import { closeSync, openSync, readdirSync, readSync } from "node:fs";
import { join } from "node:path";

/**
 * @typedef {object} Seen What the services saw of one request
 * @property {Record<string, number>} attempts arrivals by service
 * @property {string[]} cut instances at which it arrived and that never answered it
 * @property {number} executed times an order was executed
 */

export class Journals {
  #folder;
  /** @type {Map<string, { offset: number, rest: string }>} by file name */
  #files = new Map();
  /** @type {Map<string, { attempts: Record<string, number>, open: Map<string, number>, executed: number }>} by request */
  #requests = new Map();

  constructor(folder) {
    this.#folder = folder;
  }

  read() {
    for (const name of readdirSync(this.#folder)) {
      if (name.endsWith(".ndjson")) this.#readFile(name);
    }
  }

  /** Forgets the request. @returns {Seen} */
  take(id) {
    const seen = this.#requests.get(id);
    this.#requests.delete(id);
    if (seen === undefined) return { attempts: {}, cut: [], executed: 0 };
    const cut = [...seen.open].filter(([, count]) => count > 0).map(([where]) => where);
    return { attempts: seen.attempts, cut, executed: seen.executed };
  }

  #readFile(name) {
    const state = this.#files.get(name) ?? { offset: 0, rest: "" };
    this.#files.set(name, state);
    const file = openSync(join(this.#folder, name), "r");
    try {
      const piece = Buffer.alloc(64 * 1024);
      for (;;) {
        const bytes = readSync(file, piece, 0, piece.length, state.offset);
        if (bytes === 0) break;
        state.offset += bytes;
        const lines = (state.rest + piece.toString("latin1", 0, bytes)).split("\n"); // ids and names are ASCII
        state.rest = lines.pop() ?? "";
        for (const line of lines) this.#add(JSON.parse(line));
      }
    } finally {
      closeSync(file);
    }
  }

  #add({ id, event, where }) {
    const seen = this.#requests.get(id) ?? { attempts: {}, open: new Map(), executed: 0 };
    this.#requests.set(id, seen);
    const service = where.slice(0, where.indexOf("/"));
    if (event === "arrived") {
      seen.attempts[service] = (seen.attempts[service] ?? 0) + 1;
      seen.open.set(where, (seen.open.get(where) ?? 0) + 1);
    } else if (event === "answered") {
      seen.open.set(where, (seen.open.get(where) ?? 0) - 1);
    } else {
      seen.executed += 1;
    }
  }
}
