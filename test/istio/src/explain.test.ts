/** 4,368 requests to random VirtualServices: `explain` says what real Istio did with them. */

import { explain } from "@inmesh/core";
import { expect, it } from "vitest";
import { answerOf } from "./explained-answer.js";
import { ISTIO_MISSING, ISTIO_REQUESTS, readIstioRoutes } from "./istio-recording.js";
import { isSame, judged, PORT, versionsOf } from "./recorded.js";

it("answers every recorded request as Istio did", (context) => {
  if (ISTIO_MISSING !== undefined) return context.skip(ISTIO_MISSING);
  const recording = readIstioRoutes();
  const ports = new Map<string, number>();
  for (const service of recording.services) {
    for (const version of versionsOf(service)) ports.set(`${service.host} ${version}`, 9_000 + ports.size);
  }
  const wrong: unknown[] = [];
  let count = 0;
  for (const { id, snapshot, request, wanted } of judged(
    recording,
    (host, version) => ports.get(`${host} ${version}`)!,
  )) {
    count += 1;
    const found = answerOf(explain(snapshot, { ...request, port: PORT }));
    // The recording tells which endpoint answered; a route to the whole service leaves that open.
    const subset = found.subset ?? wanted.subset;
    if (!isSame({ ...found, subset }, { subset, ...wanted })) wrong.push({ id, request, wanted, found });
  }
  expect({ count, wrongCount: wrong.length, first: wrong.slice(0, 3) }).toEqual({
    count: ISTIO_REQUESTS - recording.wantedDifferences.size,
    wrongCount: 0,
    first: [],
  });
});
