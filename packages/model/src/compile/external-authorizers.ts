/** External authorizers of MeshConfig's `extensionProviders`. policy-semantics §4.7. */

import type { MeshConfigSpec } from "../kind/mesh-config.js";
import type { ExternalAuthorizer } from "../snapshot/security.js";
import { durationMs } from "./duration-ms.js";

type ProviderSpec = NonNullable<MeshConfigSpec["extensionProviders"]>[number];
type HttpSpec = NonNullable<ProviderSpec["envoyExtAuthzHttp"]>;

const DEFAULT_TIMEOUT_MS = 600_000;
const DEFAULT_STATUS_ON_ERROR = 403;

/** In the order they are written; of one name the first counts, as for Istio. */
export function externalAuthorizers({ extensionProviders = [] }: MeshConfigSpec): readonly ExternalAuthorizer[] {
  const authorizers = new Map<string, ExternalAuthorizer>();
  for (const { name = "", envoyExtAuthzHttp: http, envoyExtAuthzGrpc: grpc } of extensionProviders) {
    if (authorizers.has(name)) continue;
    if (http !== undefined) authorizers.set(name, compileAuthorizer(name, "http", http));
    else if (grpc !== undefined) authorizers.set(name, compileAuthorizer(name, "grpc", grpc));
  }
  return [...authorizers.values()];
}

function compileAuthorizer(name: string, protocol: "http" | "grpc", spec: HttpSpec): ExternalAuthorizer {
  const { service = "", port = 0, includeRequestBodyInCheck: body, statusOnError = "" } = spec;
  const told = [...(spec.includeRequestHeadersInCheck ?? []), ...(spec.includeHeadersInCheck ?? [])];
  const lists = {
    includeRequestHeaders: lowerCase(told),
    headersToUpstreamOnAllow: lowerCase(spec.headersToUpstreamOnAllow),
    headersToDownstreamOnAllow: lowerCase(spec.headersToDownstreamOnAllow),
    headersToDownstreamOnDeny: lowerCase(spec.headersToDownstreamOnDeny),
  };
  return {
    ...{ name, protocol, port, ...lists },
    host: service.slice(service.indexOf("/") + 1).toLowerCase(), // `namespace/host` says where Istio looks for it
    timeoutMs: durationMs(spec.timeout, DEFAULT_TIMEOUT_MS) || DEFAULT_TIMEOUT_MS,
    failOpen: spec.failOpen === true,
    statusOnError: statusOnError === "" ? DEFAULT_STATUS_ON_ERROR : Number(statusOnError),
    pathPrefix: spec.pathPrefix ?? "",
    additionalHeaders: Object.entries(spec.includeAdditionalHeadersInCheck ?? {}),
    ...(body?.maxRequestBytes && {
      body: {
        maxBytes: body.maxRequestBytes,
        allowPartial: body.allowPartialMessage === true,
        packAsBytes: body.packAsBytes === true,
      },
    }),
    refusal: refusalOf(name, spec, Object.values(lists).flat()),
  };
}

/** What Istio's own checks refuse when they make a configuration of it. */
function refusalOf(name: string, spec: HttpSpec, names: readonly string[]): string {
  const { service = "", port = 0, pathPrefix = "", statusOnError = "" } = spec;
  const broken = (what: string): string => `the definition of "${name}" is broken: ${what}`;
  if (service === "") return broken("it names no service");
  if (!(port >= 1 && port <= 65_535)) return broken(`${port} is no port`);
  if (pathPrefix !== "" && !pathPrefix.startsWith("/")) return broken("its pathPrefix does not begin with a slash");
  if (statusOnError !== "" && !/^[2-5]\d\d$/.test(statusOnError)) return broken(`"${statusOnError}" is no HTTP status`);
  const bad = names.find((each) => !/^(\*?[^*]+|[^*]+\*)$/.test(each));
  if (bad !== undefined) return broken(`"${bad}" is no name of headers: * may stand at one end of it`);
  return "";
}

function lowerCase(names: readonly string[] = []): readonly string[] {
  return names.map((each) => each.toLowerCase());
}
