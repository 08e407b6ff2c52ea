/** 4,368 requests to random VirtualServices: `explain` says what real Istio did with them. */

import { type Explanation, explain } from "@inmesh/core";
import { expect, it } from "vitest";
import { sorted } from "../../../packages/core/src/testing/recorded-cases.test.helper.js";
import { judged, MISSING, PORT, type RecordedAnswer, readRecording, versionsOf } from "./recorded.js";
import { WANTED_DIFFERENCES } from "./wanted-differences.js";

/** In the recording's own form, so that both can be compared whole. */
function answerOf(explanation: Explanation): RecordedAnswer {
  const { outcome, status, destinations, request, redirect, directResponse, responseHeaders } = explanation;
  if (outcome === "passThrough") return { passThrough: true };
  const headers = { ...responseHeaders.set };
  for (const [name, value] of Object.entries(responseHeaders.add)) {
    headers[name] = headers[name] === undefined ? value : `${headers[name]},${value}`;
  }
  const [destination] = destinations;
  return {
    status: status ?? 200,
    ...(outcome === "route" && { host: destination!.host, upstream: request! }), // a route has both
    subset: destination?.subset || undefined,
    ...(redirect && { location: redirect.location }),
    ...(directResponse?.body && { body: directResponse.body }),
    ...(outcome === "fault" && { body: "fault filter abort" }),
    ...(Object.keys(headers).length > 0 && { responseHeaders: headers }),
  };
}

it.skipIf(MISSING !== undefined)("answers every recorded request as Istio did", () => {
  const recording = readRecording();
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
    const same = JSON.stringify(sorted({ ...found, subset })) === JSON.stringify(sorted({ subset, ...wanted }));
    if (!same) wrong.push({ id, request, wanted, found });
  }
  expect({ count, wrongCount: wrong.length, first: wrong.slice(0, 3) }).toEqual({
    count: 4_368 - WANTED_DIFFERENCES.size,
    wrongCount: 0,
    first: [],
  });
});

if (MISSING !== undefined) console.warn(`SKIPPED: ${MISSING}`);
