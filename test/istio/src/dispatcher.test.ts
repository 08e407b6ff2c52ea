/** Recorded requests over sockets, through the dispatcher: the data path does what Istio and Envoy Gateway did. */

import { request as send } from "undici";
import { describe, expect, it } from "vitest";
import { type Answer, DataPath, isAsRecorded } from "./data-path.js";
import { GATEWAY_MISSING, GATEWAY_REQUESTS, readGatewayRoutes } from "./gateway-recording.js";
import { ISTIO_MISSING, ISTIO_REQUESTS, readIstioRoutes } from "./istio-recording.js";
import { judged, type RecordedRequest } from "./recorded.js";

const RECORDINGS = [
  { of: "Istio", read: readIstioRoutes, missing: ISTIO_MISSING, requests: ISTIO_REQUESTS },
  { of: "Envoy Gateway", read: readGatewayRoutes, missing: GATEWAY_MISSING, requests: GATEWAY_REQUESTS },
];

async function ask({ dispatcher }: DataPath, { method, host, path, headers = {} }: RecordedRequest): Promise<Answer> {
  // A URL loses the case of a host and the port it has anyway; the header keeps them.
  const answer = await send(`http://${host}${path}`, {
    method: method as "GET",
    headers: { ...headers, host },
    dispatcher,
  });
  const lines = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
  return { status: answer.statusCode, headers: Object.fromEntries(lines), body: await answer.body.text() };
}

describe("through the dispatcher", () => {
  it.for(RECORDINGS)(
    "every recorded request arrives where, and is answered as, it was by $of",
    { timeout: 120_000 },
    async ({ read, missing, requests }, context) => {
      if (missing !== undefined) return context.skip(missing);
      const recording = read();
      const { wantedDifferences } = recording;
      await using dataPath = await DataPath.start(recording);
      const wrong: unknown[] = [];
      let count = 0;
      for (const each of judged(recording, dataPath.backends.portOf)) {
        count += 1;
        dataPath.prepare(each);
        const found = dataPath.recorded(await ask(dataPath, each.request));
        const { id, request, wanted } = each;
        if (!isAsRecorded(each, found)) wrong.push({ id, request, wanted, found });
      }
      expect({ count, wrongCount: wrong.length, first: wrong.slice(0, 3) }).toEqual({
        count: requests - wantedDifferences.size,
        wrongCount: 0,
        first: [],
      });
      expect(wantedDifferences.size / requests).toBeLessThanOrEqual(0.01);
    },
  );
});
