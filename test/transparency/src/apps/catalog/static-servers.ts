/** They serve a folder; most of them pass on what is not in it. */

import type { App } from "../app.js";

const PAGE = { "public/index.html": "<h1>Books</h1>", "public/data.json": '{"books":3}', "public/sub/a.txt": "a text" };
const HOST = "127.0.0.1";

export const httpServer: App = {
  name: "http-server",
  files: () => PAGE,
  start: ({ port, upstream }) => [
    "http-server/bin/http-server",
    "public",
    "-a",
    HOST,
    "-p",
    String(port),
    "-c-1",
    "--cors",
    "--proxy",
    upstream,
  ],
  use: async (client) => [
    await client.ask("/"),
    await client.ask("/data.json", { method: "HEAD" }),
    await client.ask("/sub/a.txt", { headers: { range: "bytes=2-5" } }),
    await client.ask("/api/reviews/42"),
    await client.ask("/api/reviews", { method: "POST", body: { stars: 4 } }),
  ],
};

export const serve: App = {
  name: "serve",
  files: () => PAGE,
  start: ({ port }) => ["serve/build/main.js", "public", "-l", `tcp://${HOST}:${port}`, "--no-clipboard", "--cors"],
  use: async (client) => [
    await client.ask("/"),
    await client.ask("/index.html"),
    await client.ask("/data.json", { headers: { "accept-encoding": "gzip" } }),
    await client.ask("/sub/a.txt", { headers: { range: "bytes=2-5" } }),
    await client.ask("/nowhere"),
  ],
};

export const jsonServer: App = {
  name: "json-server",
  files: () => ({ "db.json": JSON.stringify({ books: [{ id: 1, title: "Emma" }], reviews: [{ id: 1, bookId: 1 }] }) }),
  start: ({ port }) => ["json-server/lib/cli/bin.js", "--host", HOST, "--port", String(port), "--quiet", "db.json"],
  ready: "/db",
  use: async (client) => [
    await client.ask("/books/1?_embed=reviews"),
    await client.ask("/books", { method: "POST", body: { title: "Persuasion" } }),
    await client.ask("/books/2", { method: "PATCH", body: { pages: 300 } }),
    await client.ask("/books?_sort=title&_order=desc"),
    await client.ask("/reviews/1", { method: "DELETE" }),
    await client.ask("/db"),
  ],
};

export const localWebServer: App = {
  name: "local-web-server",
  packages: ["local-web-server@5.4.0"],
  files: () => PAGE,
  start: ({ port, upstream }) => [
    "local-web-server/bin/cli.js",
    ...["--hostname", HOST, "--port", String(port), "--directory", "public"],
    ...["--rewrite", `/api/(.*) -> ${upstream}/api/$1`],
  ],
  use: async (client) => [
    await client.ask("/"),
    await client.ask("/data.json"),
    await client.ask("/nowhere"),
    await client.ask("/api/reviews/42"),
  ],
};

export const browserSync: App = {
  name: "browser-sync",
  packages: ["browser-sync@3.0.4"],
  start: ({ port, upstream }) => [
    "browser-sync/dist/bin.js",
    ...["start", "--proxy", upstream, "--host", HOST, "--listen", HOST, "--port", String(port)],
    ...["--no-open", "--no-ui", "--no-notify"],
  ],
  use: async (client) => {
    const script = await client.ask("/browser-sync/browser-sync-client.js");
    return [await client.ask("/api/reviews/42"), script.status, script.body.length > 10_000];
  },
};
