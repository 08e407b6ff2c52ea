/** Of the tokens that we take, 250 are shown to jose with the same keys and wishes: none may be refused there. */

import { createLocalJWKSet, jwtVerify } from "jose";
import { expect, it } from "vitest";
import { InputMutator } from "./input/input-mutator.js";
import { JWT, RULE, tokenOf } from "./input/jwt.js";

const SEED = 20_261_128;
const TOKENS = 250;
const MOST_TRIES = 30_000;

it("jose takes each token that we take", async () => {
  const mutator = new InputMutator(JWT, SEED);
  const taken = new Map<string, string>();
  for (let tries = 0; taken.size < TOKENS && tries < MOST_TRIES; tries++) {
    const input = mutator.next();
    const { accepted, said } = await JWT.judge(input);
    if (!accepted) continue;
    mutator.learn(input, said);
    taken.set(Buffer.from(input).toString("base64"), tokenOf(input).trim());
  }
  expect(taken.size).toBe(TOKENS);
  const keys = createLocalJWKSet(JSON.parse(RULE.jwks));
  const wanted = { issuer: RULE.issuer, audience: [...RULE.audiences], algorithms: ["ES256"], clockTolerance: 60 };
  const refused: string[] = [];
  for (const token of taken.values()) {
    await jwtVerify(token, keys, wanted).catch((error: Error) => refused.push(`${error.message}: ${token}`));
  }
  expect(refused).toEqual([]);
}, 120_000);
