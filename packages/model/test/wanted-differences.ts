/** Outside cases that we judge otherwise on purpose, each with its reason. Everything else must agree. */

const QUOTED_NUMBER = "a number in quotes: istioctl converts it, but Istio's CRD refuses it in a cluster, and so do we";
const ENUM_BY_NUMBER =
  "an enum by its number: istioctl converts it, but Istio's CRD refuses it in a cluster, and so do we";
const GO_FIELD = "not YAML: the extraction kept the name of a Go struct field (specifier) that no document has";

/** Cases where accept and refuse differ. */
export const VALIDITY: ReadonlyMap<string, string> = new Map([
  ["v11-315", QUOTED_NUMBER],
  ["v11-500", QUOTED_NUMBER],
  ["v11-540", QUOTED_NUMBER],
  ["v11-563", QUOTED_NUMBER],
  ["v11-1060", QUOTED_NUMBER],
  ["v11-1085", QUOTED_NUMBER],
  ["v11-1094", QUOTED_NUMBER],
  ["v11-1280", QUOTED_NUMBER],
  ["v11-1993", QUOTED_NUMBER],
  ["v11-1651", ENUM_BY_NUMBER],
  ["TestValidateHTTPDirectResponse:1748", GO_FIELD],
  ["TestValidateHTTPDirectResponse:1758", GO_FIELD],
  [
    "TestValidateServiceEntries:4597",
    "what makes it invalid, a use-waypoint label, was lost: the case holds the spec only",
  ],
  [
    "TestValidateDelegateHTTPRoute:697",
    "match: [null]: Istio's Go code skips a nil match; a CRD refuses it, and so do we",
  ],
]);

/** Cases where we warn and Istio 1.26 does not, or the other way round. */
export const WARNINGS: ReadonlyMap<string, string> = new Map([
  ["v11-1217", "an abort without a status: Istio means to warn, but its code loses the warning on the way up"],
]);
