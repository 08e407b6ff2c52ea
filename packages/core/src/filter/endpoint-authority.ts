/** auto_host_rewrite: each attempt is addressed to the endpoint that was picked for it, by the name that it has. */

import { withForwardedHost } from "../call/request-edit.js";
import type { Stage } from "../stack/stack.js";

export const endpointAuthority: Stage = {
  role: "endpointAuthority",
  describe: "addresses an attempt to its endpoint by name",
  make({ rewrite }) {
    if (rewrite?.endpointAuthority !== true) return undefined;
    const { forwardsHost } = rewrite;
    return {
      attempt: (next) => (attempt) => {
        const { hostname, dnsName } = attempt.endpoint.endpoint;
        const name = hostname ?? dnsName;
        if (name !== undefined) {
          if (forwardsHost === true) attempt.headers = withForwardedHost(attempt.headers, attempt.authority);
          attempt.authority = name;
        }
        next(attempt);
      },
    };
  },
};
