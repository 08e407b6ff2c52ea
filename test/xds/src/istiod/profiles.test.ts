/** Real istiod, profile `api`: what is written there rules the traffic of a process that has no sidecar. */

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { ask, type Backend, backend, IN_FORCE_MS, meshAt, routeTo, serviceOf, subsetsOf, timeUntil } from "./shop.js";

const binary = findIstiod("what an istiod says of routes, endpoints and policy");

describe.skipIf(binary === undefined)("a process under a real istiod", () => {
  let istiod: Istiod;
  let backends: Backend[];
  beforeAll(async () => {
    backends = await Promise.all(["v1", "v2"].map(backend));
    istiod = await Istiod.start({ binary: binary ?? "", documents: base() });
  });
  afterAll(async () => {
    await istiod?.[Symbol.asyncDispose]();
    for (const each of backends ?? []) await each[Symbol.asyncDispose]();
  });
  const base = (): object[] => [serviceOf("reviews", backends), subsetsOf("reviews", ["v1", "v2"])];

  it.each([
    ["api", "delta"],
    ["api", "sotw"],
    ["envoy", "delta"],
    ["envoy", "sotw"],
    ["grpc", "sotw"],
    ["grpc", "delta"],
  ])("follows a VirtualService in time, profile %s over %s", async (profile, mode) => {
    istiod.write([...base(), routeTo("reviews", "v1")]);
    await using mesh = await meshAt(`xds://${istiod.address}?profile=${profile}&mode=${mode}`);
    const url = "http://reviews.shop.svc.cluster.local/";
    await timeUntil("v1 answers", async () => (await ask(mesh, url)) === "v1");
    for (const version of ["v2", "v1", "v2"]) {
      istiod.write([...base(), routeTo("reviews", version)]);
      const ms = await timeUntil(`${version} answers`, async () => (await ask(mesh, url)) === version);
      expect(ms).toBeLessThan(IN_FORCE_MS);
    }
    // One that comes later, goes, and comes again.
    const later = "http://ratings.shop.svc.cluster.local/";
    const answers = () =>
      ask(mesh, later).then(
        (text) => text === "v1",
        () => false,
      );
    for (let times = 0; times < 2; times++) {
      istiod.write([...base(), serviceOf("ratings", backends.slice(0, 1))]);
      await eventually("ratings answers", answers);
      istiod.write(base());
      await eventually("ratings is gone", async () => !(await answers()));
    }
  });
});
