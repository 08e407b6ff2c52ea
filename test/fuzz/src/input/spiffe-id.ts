/** URI names of certificates. What is taken for an id must be one by the letter of SPIFFE-ID §2. */

import { parseSpiffeId, spiffeId } from "@inmesh/model";
import { type InputTarget, seeds } from "./target.js";

const BY_THE_LETTER = /^spiffe:\/\/[a-z0-9._-]{1,255}(\/[A-Za-z0-9._-]+)*$/;

export const SPIFFE_ID: InputTarget = {
  seeds: seeds(
    "spiffe://cluster.local/ns/shop/sa/cart",
    "spiffe://example.org/billing/payments",
    "spiffe://5f1c3a60-8f0e-7b7b.consul/ns/default/dc/dc1/svc/web",
    "spiffe://td",
  ),
  words: [
    "spiffe://",
    "SPIFFE://",
    "/ns/",
    "/sa/",
    "..",
    ".",
    "//",
    "%2f",
    "@",
    ":8080",
    "?a",
    "#b",
    "\u00e4",
    "*",
    ",",
  ],
  judge(input) {
    const text = Buffer.from(input).toString("latin1");
    const found = parseSpiffeId(text);
    if (found === undefined) return { accepted: false, said: "" };
    const { id, principal, trustDomain, namespace, serviceAccount } = found;
    const dots = principal
      .split("/")
      .slice(1)
      .some((segment) => segment === "." || segment === "..");
    const whole = namespace === "" ? id : spiffeId(trustDomain, namespace, serviceAccount);
    const right =
      BY_THE_LETTER.test(text) && !dots && id === text && `spiffe://${principal}` === text && whole === text;
    const said = `${principal.split("/").length} ${namespace !== ""}`;
    return { accepted: true, said, ...(!right && { fault: `taken for ${JSON.stringify(found)}` }) };
  },
};
