import { expect, it } from "vitest";
import { foundIdentity, TOKEN_FILE } from "./found-identity.js";

const AGENT = "/var/lib/istio/data/cert-chain.pem";
const BOOTSTRAP = JSON.stringify({
  certificate_providers: { default: { config: { certificate_file: "/etc/certs/cert-chain.pem" } } },
});
const OTHER = JSON.stringify({
  certificate_providers: { mine: { config: { certificate_file: "/etc/certs/me.pem" } } },
});

it.each<[string, string, readonly string[], Record<string, string>, string | undefined]>([
  ["nothing", "xds://istiod:15012", [], {}, undefined],
  ["a token in the URL", "xds://istiod:15012?token=/t&ca=/c", [], {}, "istio-ca"],
  ["a certificate in the URL", "xds://istiod:15012?cert=/c&key=/k", [], {}, "istio-ca"],
  ["Istio's token", "xds://istiod:15012", [TOKEN_FILE], {}, "istio-ca"],
  ["Istio's token, and no port", "xds://istiod.istio-system.svc", [TOKEN_FILE], {}, "istio-ca"],
  ["Istio's token, the stream in plain text", "xds://[::1]:15010", [TOKEN_FILE], {}, "istio-ca:[::1]:15012"],
  ["Istio's token, and a server that is no istiod's", "xds://plane:18000", [TOKEN_FILE], {}, undefined],
  ["an agent's files", "xds://unix:/etc/istio/proxy/XDS", [TOKEN_FILE, AGENT], {}, "files:/var/lib/istio/data"],
  ["a token before files", "xds://istiod:15012", [TOKEN_FILE, AGENT], {}, "istio-ca"],
  ["a bootstrap's files", "xds://", [], { GRPC_XDS_BOOTSTRAP_CONFIG: BOOTSTRAP }, "files:/etc/certs"],
  ["a bootstrap in a file", "xds:///", [], { GRPC_XDS_BOOTSTRAP: "/bootstrap.json" }, "files:/etc/certs"],
  ["files of other names", "xds://", [], { GRPC_XDS_BOOTSTRAP_CONFIG: OTHER }, undefined],
  ["a bootstrap that is none", "xds://", [AGENT], { GRPC_XDS_BOOTSTRAP_CONFIG: "{" }, "files:/var/lib/istio/data"],
  [
    "a SPIFFE agent, before all",
    "xds://istiod:15012?token=/t",
    [AGENT],
    { SPIFFE_ENDPOINT_SOCKET: "unix:///a" },
    "spiffe",
  ],
])("finds %s", (_, config, files, env, found) => {
  const options = { env, exists: (path: string) => files.includes(path), readFile: () => BOOTSTRAP };
  expect(foundIdentity(config, options)).toBe(found);
});
