/** What the routes of Gateway API share: parents, backends, header modifiers, mirrors, session persistence. policy-semantics §5. */

import * as z from "zod/mini";
import { parseDurationMs } from "./duration.js";
import { int32, message, stringList, text } from "./field.js";

/** Gateway API's own form (GEP-2257): whole numbers with units, no fractions, no signs. */
const GATEWAY_DURATION = /^(?:[0-9]{1,5}(?:h|m|s|ms)){1,4}$/;

export const gatewayDuration = z.string().check(
  z.refine((value) => GATEWAY_DURATION.test(value) && parseDurationMs(value) !== undefined, {
    error: 'expected whole numbers with units, such as "5s", "1m30s" or "100ms". Correct it.',
  }),
);

export const parentRef = message({
  group: text,
  kind: text,
  namespace: text,
  name: text,
  sectionName: text,
  port: int32,
});

export const backendObject = { group: text, kind: text, namespace: text, name: text, port: int32 };

const valueMatchType = z.enum(["Exact", "RegularExpression"]);

export const valueMatch = message({ type: valueMatchType, name: text, value: text });

const header = message({ name: text, value: text });

const headerModifier = message({ set: z.array(header), add: z.array(header), remove: stringList });

/** Filters that every kind of route has, without their types. */
export const commonFilters = {
  requestHeaderModifier: headerModifier,
  responseHeaderModifier: headerModifier,
  requestMirror: message({
    backendRef: message(backendObject),
    percent: int32,
    fraction: message({ numerator: int32, denominator: int32 }),
  }),
  extensionRef: message({ group: text, kind: text, name: text }),
};

export const sessionPersistence = message({
  sessionName: text,
  absoluteTimeout: gatewayDuration,
  idleTimeout: gatewayDuration,
  type: z.enum(["Cookie", "Header"]),
  cookieConfig: message({ lifetimeType: z.enum(["Permanent", "Session"]) }),
});

/** What a document says beside its rules. */
export const routeHead = {
  parentRefs: z.array(parentRef),
  useDefaultGateways: z.enum(["All", "None"]),
  hostnames: stringList,
};

export type GatewayParentRefSpec = z.infer<typeof parentRef>;
export type GatewayValueMatchSpec = z.infer<typeof valueMatch>;
export type GatewayHeaderModifierSpec = z.infer<typeof headerModifier>;
