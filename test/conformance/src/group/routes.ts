import { both, type Group, rules, type Scenario } from "../scenario.js";
import type { Ask } from "../trial.js";

const goes = (name: string, path: string, options: Ask, version: string): Scenario => ({
  name,
  ...(options.method === "POST" && { needs: ["body"] as const }),
  run: async (trial) => (await trial.echo(path, options)).version,
  expected: version,
});

export const routes: Group = {
  name: "routes",
  about: "rules by header, path, query and method; rewrites and header operations",
  ofCallers: true,
  endpoints: both,
  policy: (host) =>
    rules(
      host,
      `
- match: [{ headers: { x-user: { exact: maria } } }, { uri: { prefix: /beta } }, { queryParams: { preview: { exact: "yes" } } }, { method: { exact: PUT } }]
  route: [{ destination: { host: ${host}, subset: v2 } }]
- match: [{ uri: { prefix: /old } }]
  rewrite: { uri: /new, authority: other.test }
  headers:
    request: { set: { x-set: policy }, add: { x-added: more }, remove: [x-gone] }
    response: { set: { x-answer: edited }, remove: [x-pid] }
  route: [{ destination: { host: ${host}, subset: v1 } }]
- match: [{ uri: { prefix: /said } }]
  directResponse: { status: 418, body: { string: short and stout } }
- match: [{ uri: { prefix: /only } }]
  route: [{ destination: { host: ${host}, subset: v1 } }]
- match: [{ uri: { exact: /echo } }]
  route: [{ destination: { host: ${host}, subset: v1 } }]
`,
    ),
  scenarios: [
    goes("a header that matches", "/echo", { headers: { "X-User": "maria" } }, "v2"),
    goes("a header that does not", "/echo", { headers: { "X-User": "mario" } }, "v1"),
    goes("a path", "/beta/echo", {}, "v2"),
    goes("a query parameter", "/echo?preview=yes", {}, "v2"),
    {
      name: "a method",
      needs: ["body"],
      run: async (trial) => (await trial.echo("/echo", { method: "PUT", body: "x" })).version,
      expected: "v2",
    },
    {
      name: "rewritten path and authority, edited headers",
      needs: ["answers"],
      async run(trial) {
        const { text, headers } = await trial.ask("/old/echo?x=1", {
          headers: { "x-set": "mine", "x-added": "one", "x-gone": "1" },
        });
        const seen = JSON.parse(text);
        return {
          url: seen.url.replace(trial.key, "KEY"),
          host: seen.headers.host,
          set: seen.headers["x-set"],
          added: seen.headers["x-added"],
          gone: seen.headers["x-gone"] ?? "gone",
          answer: headers["x-answer"],
          removed: headers["x-pid"] ?? "gone",
        };
      },
      expected: {
        url: "/new/echo?x=1&key=KEY",
        host: "other.test",
        set: "policy",
        added: "one, more",
        gone: "gone",
        answer: "edited",
        removed: "gone",
      },
    },
    {
      name: "a direct response",
      needs: ["answers"],
      async run(trial) {
        const { status, text, headers } = await trial.ask("/said/echo");
        return { status, text, type: headers["content-type"], seen: (await trial.seen()).arrived };
      },
      expected: { status: 418, text: "short and stout", type: "text/plain", seen: 0 },
    },
    {
      name: "no rule that matches",
      needs: ["answers"],
      async run(trial) {
        const { status, headers } = await trial.ask("/nowhere");
        return { status, error: headers["x-inmesh-error"], seen: (await trial.seen()).arrived };
      },
      expected: { status: 404, error: "ROUTE_NOT_FOUND", seen: 0 },
    },
  ],
};
