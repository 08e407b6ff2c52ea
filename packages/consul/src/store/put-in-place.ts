/** A document in the key where it belongs: below the service that it is for alone, or below the policy for all. */

import type { ServiceRef } from "@inmesh/core";
import type { PolicyTexts, TextChange } from "@inmesh/core/internal";
import type { Document } from "@inmesh/model";
import type { ConsulTarget } from "../client/consul-target.js";
import { policyKey, serviceOfKey, servicesPrefix } from "../keys.js";
import { onlyServiceOf } from "../policy-place.js";

/** @param texts by their keys @param wallTime ms since 1970 */
export function putInPlace(target: ConsulTarget, document: Document, texts: PolicyTexts, wallTime: number): TextChange {
  const { key } = document;
  const service = onlyServiceOf(document);
  const newPath = (): string => {
    const place = policyKey(target, key, service);
    // What stands there and is no policy makes room.
    if (texts.documentsIn(place).length === 0) texts.forget(place);
    return place;
  };
  const mayStay = (path: string, isNew: boolean): boolean => {
    // Who calls the service does not look below another one.
    if (path.startsWith(servicesPrefix(target))) return isSame(serviceOfKey(target, path), service);
    // Below the policy for all everybody looks. Where people put it there it stays, else it moves when it changes.
    const isOurs = path === policyKey(target, key) && texts.documentsIn(path).length === 1;
    return service === undefined || !isOurs || !isNew;
  };
  return texts.put(document, newPath, wallTime, mayStay);
}

function isSame(a: ServiceRef | undefined, b: ServiceRef | undefined): boolean {
  return a !== undefined && a.namespace === b?.namespace && a.service === b.service;
}
