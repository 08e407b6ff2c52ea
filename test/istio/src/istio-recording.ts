/** 4,368 requests to random VirtualServices, and what real Istio did with each. */

import { readCaseFile, whyMissing } from "../../../packages/core/src/testing/recorded-cases.test.helper.js";
import { BODY_OF_204 } from "../../../packages/model/test/wanted-differences.js";
import { PORT, type RecordedService, type Recording, type RouteGroup } from "./recorded.js";

const FILE = "istio-routes.json";

/** Why the recording is not judged; undefined when it is there, or must be. */
export const ISTIO_MISSING = whyMissing(FILE);

export const ISTIO_REQUESTS = 4_368;

interface File {
  readonly services: readonly (Partial<RecordedService> & { readonly host: string })[];
  readonly groups: readonly RouteGroup[];
}

export function readIstioRoutes(): Recording {
  const { services, groups } = readCaseFile<File>(FILE);
  return {
    services: services.map(({ host, ports = [PORT], subsets = [] }) => ({ host, ports, subsets })),
    groups,
    tellsBodies: true,
    wantedDifferences: new Set(BODY_OF_204),
  };
}
