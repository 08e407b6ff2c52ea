/** Services by the names people use for them. */

import type { ServiceView } from "@inmesh/core/admin";
import { nearestName } from "@inmesh/model/internal";
import { CliError, EXIT } from "../exit.js";

/**
 * @param name `reviews`, `reviews.shop`, `shop/reviews` or a whole host; undefined: all of them
 * @param namespace keeps services of this namespace; undefined: of all
 * @throws {CliError} when a name is of none
 */
export function findServices(
  services: readonly ServiceView[],
  name: string | undefined,
  namespace: string | undefined,
): readonly ServiceView[] {
  const within = namespace === undefined ? services : services.filter((service) => service.namespace === namespace);
  if (name === undefined) return within;
  const wanted = name.toLowerCase();
  const found = within.filter(
    (service) =>
      service.host === wanted ||
      service.name === wanted ||
      `${service.name}.${service.namespace}` === wanted ||
      `${service.name}.${service.namespace}.svc` === wanted ||
      `${service.namespace}/${service.name}` === wanted,
  );
  if (found.length > 0) return found;
  const near = nearestName(
    wanted,
    services.flatMap((service) => [service.name, `${service.name}.${service.namespace}`]),
  );
  const where = namespace === undefined ? "" : ` in namespace "${namespace}"`;
  throw new CliError(
    EXIT.bad,
    `no service "${name}"${where}`,
    near === undefined ? "See: inmesh services" : `Did you mean "${near}"? See: inmesh services`,
  );
}
