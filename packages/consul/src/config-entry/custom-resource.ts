/** Kubernetes' form of config entries (`consul.hashicorp.com/v1alpha1`) into Consul's own. */

import { type Data, isData } from "./field.js";

const GROUP = "consul.hashicorp.com/";

const KINDS: Readonly<Record<string, string>> = {
  ServiceResolver: "service-resolver",
  ServiceSplitter: "service-splitter",
  ServiceRouter: "service-router",
  ServiceDefaults: "service-defaults",
  ServiceIntentions: "service-intentions",
  ProxyDefaults: "proxy-defaults",
  Mesh: "mesh",
  IngressGateway: "ingress-gateway",
  TerminatingGateway: "terminating-gateway",
  ExportedServices: "exported-services",
  SamenessGroup: "sameness-group",
  JWTProvider: "jwt-provider",
  ControlPlaneRequestLimit: "control-plane-request-limit",
};

export function isCustomResource(value: unknown): value is Data {
  return isData(value) && typeof value["apiVersion"] === "string" && value["apiVersion"].startsWith(GROUP);
}

/** Fields keep their spelling: the reader takes any. Intentions name their destination in the spec. */
export function entryOfResource(value: Data): Data {
  const spec = isData(value["spec"]) ? value["spec"] : {};
  const { destination } = spec;
  const metadata = isData(value["metadata"]) ? value["metadata"] : {};
  const isIntentions = value["kind"] === "ServiceIntentions";
  const name = isIntentions && isData(destination) ? destination["name"] : metadata["name"];
  const { destination: _, ...rest } = spec;
  return {
    ...(isIntentions ? rest : spec),
    Kind: KINDS[String(value["kind"])] ?? String(value["kind"]),
    Name: name,
  };
}
