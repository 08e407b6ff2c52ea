/** 1,860 requests to random HTTPRoutes with Services as parents, and what Envoy Gateway did with each. */

import { readCaseFile, whyMissing } from "../../../packages/core/src/testing/recorded-cases.test.helper.js";
import { PORT, type RecordedAnswer, type RecordedRequest, type Recording } from "./recorded.js";

const FILE = "gateway-routes.json";

/** Why the recording is not judged; undefined when it is there, or must be. */
export const GATEWAY_MISSING = whyMissing(FILE);

export const GATEWAY_REQUESTS = 1_860;

interface GatewayAnswer {
  readonly status: number;
  readonly backend?: string;
  readonly upstream?: Omit<NonNullable<RecordedAnswer["upstream"]>, "headers"> & {
    readonly headers?: Readonly<Record<string, string>>;
  };
  readonly location?: string;
  readonly response?: Readonly<Record<string, string>>;
}

interface File {
  readonly groups: readonly {
    readonly id: string;
    readonly routes: readonly unknown[];
    readonly cases: readonly { readonly request: RecordedRequest; readonly expect: GatewayAnswer }[];
  }[];
}

/** `ghost` is not among them: rules name it, and nobody has it. */
const SERVICES = ["cart", "pay", "a", "b", "c", "d", "e"];
const hostOf = (name: string): string => `${name}.shop.svc.cluster.local`;

export function readGatewayRoutes(): Recording {
  return {
    services: SERVICES.map((name) => ({ host: hostOf(name), ports: [PORT], subsets: [] })),
    groups: readCaseFile<File>(FILE).groups.map(({ id, routes, cases }) => ({
      id,
      resources: routes,
      cases: cases.map(({ request, expect }) => ({ request, expect: answerOf(expect) })),
    })),
    tellsBodies: false,
    wantedDifferences: new Set(),
  };
}

/** The recording leaves out what is empty. */
function answerOf({ status, backend, upstream, location, response }: GatewayAnswer): RecordedAnswer {
  return {
    status,
    ...(backend !== undefined && { host: hostOf(backend), subset: "v0" }),
    ...(upstream && { upstream: { ...upstream, headers: upstream.headers ?? {} } }),
    ...(location !== undefined && { location }),
    ...(response && { responseHeaders: response }),
  };
}
