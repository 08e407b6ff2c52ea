/** This process's identity once its registry is known: its first certificate, and what is told of it from then on. */

import { systemRandom } from "@inmesh/core";
import type { DataPlane } from "../plane/data-plane.js";
import type { OpenRegistry } from "../plane/open-registry.js";
import { fillIdentity } from "./own-identity.js";

/**
 * @param onChange another certificate, or the first one
 * @returns when the first certificate is there, or others need not wait for it any longer; never rejects
 */
export async function openIdentity(plane: DataPlane, registry: OpenRegistry, onChange: () => void): Promise<void> {
  const { identity, settings, clock, log, events, store } = plane;
  if (identity === undefined) return;
  await fillIdentity(identity, {
    ...{ settings, clock, registry },
    random: systemRandom,
    trustDomains: () => store.current?.security.trustDomains,
    configured: () => store.ready(settings.configWaitMs).catch(() => {}),
    onNotice: ({ severity, message }) => {
      events.add("identity", message);
      log.scope("identity")[severity === "warning" ? "warn" : severity](message);
    },
  });
  await identity.ready(settings.configWaitMs).catch(() => {}); // said by its own notices
  judgeTrustDomain(plane);
  identity.subscribe(() => {
    onChange();
    judgeTrustDomain(plane);
  });
}

/** Says when policy's trust domain is not the one of our certificate. Consul's is its own, and its names are known by the service. */
export function judgeTrustDomain({ identity, store, settings, events, log }: DataPlane): void {
  if (store.current === undefined || settings.identity === "connect") return;
  const message = identity?.underPolicy(store.current.security.trustDomains);
  if (message === undefined) return;
  events.add("identity", message);
  log.scope("identity").warn(message);
}
