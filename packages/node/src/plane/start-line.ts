/** The one line, at level info, by which a process says that it has begun: who it is, on what, and where it tells more. */

import { VERSION } from "../version.js";
import type { DataPlane } from "./data-plane.js";

export function startLine(plane: DataPlane): string {
  const { settings, identity, store, registryUrl, patched, adminUrl } = plane;
  const { namespace, service } = settings;
  const who = identity?.current?.self.id ?? (identity === undefined ? "no identity" : "no certificate yet");
  const services = store.current?.services.size;
  const known = services === undefined ? "no configuration yet" : `${services} services known`;
  return [
    `inmesh ${VERSION}: ${namespace}/${service}, ${who}; registry ${registryUrl}, ${known}`,
    patched.length === 0 ? "nothing patched" : `patched ${patched.join(", ")}`,
    adminUrl === undefined ? "no admin endpoint" : `admin ${adminUrl}`,
  ].join("; ");
}
