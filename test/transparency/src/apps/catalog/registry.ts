/** A private registry of npm packages in front of another one, which is the service it calls. */

import type { App } from "../app.js";

const config = (upstream: string): string => `
storage: ./storage
auth: { htpasswd: { file: ./htpasswd, max_users: 10 } }
uplinks: { reviews: { url: "${upstream}/" } }
packages: { "**": { access: $all, publish: $authenticated, proxy: reviews } }
log: { type: stdout, format: pretty, level: warn }
web: { title: books }
`;

const MINE = {
  _id: "mine",
  name: "mine",
  "dist-tags": { latest: "1.0.0" },
  versions: { "1.0.0": { name: "mine", version: "1.0.0", dist: { tarball: "http://any.test/mine/-/mine-1.0.0.tgz" } } },
  _attachments: {
    "mine-1.0.0.tgz": {
      content_type: "application/octet-stream",
      data: Buffer.from("mine").toString("base64"),
      length: 4,
    },
  },
};

export const verdaccio: App = {
  name: "verdaccio",
  packages: ["verdaccio@6.8.0"],
  // One of its packages asks for a tag of node-fetch that not every mirror of the registry has.
  overrides: { "node-fetch": "2.7.0" },
  files: ({ upstream }) => ({ "config.yaml": config(upstream) }),
  start: ({ port }) => ["verdaccio/bin/verdaccio", "--config", "config.yaml", "--listen", `http://127.0.0.1:${port}`],
  ready: "/-/ping",
  use: async (client) => {
    const { body: found } = await client.ask("/left");
    const { versions } = JSON.parse(found) as { versions: Record<string, { description: string; dist: object }> };
    const user = { name: "me", password: "a long secret", type: "user", roles: [], date: "2026-11-21" };
    const added = await client.ask("/-/user/org.couchdb.user:me", { method: "PUT", body: user });
    const { token } = JSON.parse(added.body) as { token: string };
    const refused = await client.ask("/mine", { method: "PUT", body: MINE });
    const authorization = `Bearer ${token}`;
    const published = await client.ask("/mine", { method: "PUT", body: MINE, headers: { authorization } });
    const mine = JSON.parse((await client.ask("/mine")).body) as { versions: object };
    const who = await client.ask("/-/whoami", { headers: { authorization } });
    return {
      left: versions["1.0.0"]?.description,
      tarball: (await client.ask("/left/-/left-1.0.0.tgz")).body,
      nowhere: (await client.ask("/-/package/nowhere/dist-tags")).status,
      statuses: [added.status, refused.status, published.status, (await client.ask("/")).status],
      ...{ mine: Object.keys(mine.versions), who: who.body },
      published: (await client.ask("/mine/-/mine-1.0.0.tgz")).body,
    };
  },
};
