import { both, type Group, rules, type Scenario } from "../scenario.js";
import { landed, landing } from "./plain.js";

const moved = (code: number): Scenario => ({
  name: `${code}, taken as without a mesh`,
  needs: ["answers"],
  asBare: true, // there the service itself redirects
  run: (trial) => landing(trial, code),
  expected: (client) => landed(client.followsRedirects, code),
});

export const redirects: Group = {
  name: "redirects",
  about: "redirects by policy",
  ofCallers: true,
  endpoints: both,
  policy: (host) =>
    rules(
      host,
      [301, 302, 307]
        .map(
          (code) => `
- match: [{ uri: { exact: /moved }, queryParams: { code: { exact: "${code}" } } }]
  redirect: { uri: /landed/echo, authority: ${host}, redirectCode: ${code} }`,
        )
        .join("") +
        `
- route: [{ destination: { host: ${host}, subset: v1 } }]`,
    ),
  scenarios: [moved(301), moved(302), moved(307)],
};
