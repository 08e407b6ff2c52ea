/** Servers of tools, with WebSockets beside HTTP. */

import type { App } from "../app.js";

const HOST = "127.0.0.1";

export const vite: App = {
  name: "Vite",
  packages: ["vite@7.3.8"],
  files: ({ upstream }) => ({
    "index.html": '<div id="app"></div><script type="module" src="/main.js"></script>',
    "main.js": 'import text from "./text.js";\nimport.meta.hot?.accept();\ndocument.title = text;\n',
    "text.js": 'export default "books";\n',
    "vite.config.mjs": `export default { server: { proxy: { "/api": { target: "${upstream}", changeOrigin: true } } } };`,
  }),
  start: ({ port }) => ["vite/bin/vite.js", "--host", HOST, "--port", String(port), "--strictPort"],
  use: async (client) => {
    const main = await client.ask("/main.js");
    return [
      await client.ask("/", { headers: { accept: "text/html" } }),
      [main.status, main.body.includes("createHotContext"), /from "\/text\.js/.test(main.body)],
      await client
        .ask("/text.js", { headers: { accept: "*/*" } })
        .then(({ status, body }) => [status, body.split("\n")[0]]),
      await client.ask("/api/reviews/42"),
      await client.ask("/api/reviews", { method: "POST", body: { stars: 4 } }),
    ];
  },
};

const FLOWS = [
  { id: "tab", type: "tab", label: "Reviews" },
  { id: "in", type: "http in", z: "tab", url: "/reviews/:id", method: "get", wires: [["ask"]] },
  {
    ...{
      id: "ask",
      type: "http request",
      z: "tab",
      method: "GET",
      ret: "obj",
      url: "UPSTREAM/api/reviews/{{{req.params.id}}}",
    },
    wires: [["change"]],
  },
  {
    ...{ id: "change", type: "function", z: "tab", outputs: 1, wires: [["out"]] },
    func: "msg.payload.seen = true; msg.headers = { 'x-flow': 'yes' }; return msg;",
  },
  { id: "out", type: "http response", z: "tab", statusCode: "", headers: {}, wires: [] },
];

export const nodeRed: App = {
  name: "Node-RED",
  packages: ["node-red@4.1.8"],
  files: ({ upstream }) => ({
    "flows.json": JSON.stringify(FLOWS).replace("UPSTREAM", upstream),
    "settings.js": `module.exports = {
      flowFile: "flows.json", uiHost: "${HOST}", credentialSecret: false,
      logging: { console: { level: "warn" } }, telemetry: { enabled: false, updateNotification: false },
    };`,
  }),
  start: ({ port }) => ["node-red/red.js", "--settings", "settings.js", "--userDir", ".", "-p", String(port)],
  ready: "/reviews/1",
  use: async (client) => {
    const editor = await client.ask("/");
    const flows = await client.ask("/flows", { headers: { accept: "application/json" } });
    const deployed = await client.ask("/flow", {
      method: "POST",
      body: { label: "more", nodes: [{ id: "c", type: "comment", name: "x", wires: [] }] },
    });
    return [
      await client.ask("/reviews/42"),
      [editor.status, editor.body.includes("Node-RED"), flows.status, JSON.parse(flows.body).length, deployed.status],
      await client
        .ask("/nodes", { headers: { accept: "application/json" } })
        .then(({ status, body }) => [status, body.length]),
      (await client.firstMessage("/comms")).message.length > 0,
    ];
  },
};

export const peer: App = {
  name: "PeerJS server",
  packages: ["peer@1.0.2"],
  start: ({ port }) => ["peer/dist/bin/peerjs.js", "--host", HOST, "--port", String(port), "--path", "/books"],
  ready: "/books",
  use: async (client) => {
    const id = await client.ask("/books/peerjs/id");
    return [
      await client.ask("/books"),
      [id.status, id.body.length],
      await client.firstMessage("/books/peerjs?key=peerjs&id=one&token=two&version=1.5.4"),
      await client.firstMessage("/books/peerjs?key=wrong&id=one&token=two&version=1.5.4"),
    ];
  },
};
