/**
 * The bootstrap of gRPC's xDS clients, so that what runs with those runs here (gRFCs A27, A29, A36, A47, A65, A71, A97).
 * Members that nobody knows are stepped over; a kind of credentials or certificate provider that is not to be had here is
 * named, and is an error only where nothing else is left.
 */

import { parseDurationText } from "../../proto/well-known.js";
import { JsonReader } from "./json-reader.js";
import type { BootstrapNode, CertificateFiles, XdsAuthority, XdsServer, XdsServerTls } from "./target.js";

export interface Bootstrap {
  readonly servers: readonly XdsServer[];
  readonly authorities: ReadonlyMap<string, XdsAuthority>;
  readonly node: BootstrapNode;
  readonly listenerTemplate: string;
  readonly serverListenerTemplate: string | undefined;
  readonly certificates: ReadonlyMap<string, CertificateFiles>;
  readonly unusable: readonly string[];
}

/** gRFC A29: of a provider that does not say. */
const REFRESH_MS = 600_000;

/**
 * @param where the text is from, for errors
 * @throws {MeshError} CONFIG_INVALID with the place in it
 */
export function parseBootstrap(text: string, where: string): Bootstrap {
  const json = new JsonReader(parsed(text, where), `${where}:`);
  json.object();
  const unusable: string[] = [];
  const servers = json.at("xds_servers").items().map(readServer);
  if (servers.length === 0) json.at("xds_servers").fail("a list with at least one server");
  const authorities = json
    .at("authorities")
    .entries()
    .map(([name, value]) => readAuthority(name, value));
  const providers = json.at("certificate_providers").entries();
  const certificates = new Map<string, CertificateFiles>();
  for (const [name, provider] of providers) {
    const plugin = provider.at("plugin_name").needed();
    if (plugin === "file_watcher") certificates.set(name, readFiles(provider.at("config")));
    else unusable.push(`certificate provider ${name} is of the kind ${plugin}, where only file_watcher is known`);
  }
  return {
    servers,
    authorities: new Map(authorities),
    node: readNode(json.at("node")),
    listenerTemplate: json.at("client_default_listener_resource_name_template").text() || "%s",
    serverListenerTemplate: json.at("server_listener_resource_name_template").text() || undefined,
    certificates,
    unusable,
  };
}

function parsed(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return new JsonReader(text, where).fail(`JSON (${(error as Error).message})`); // of JSON.parse
  }
}

function readServer(server: JsonReader): XdsServer {
  const address = server.at("server_uri").needed();
  const tokens = server
    .at("call_creds")
    .items()
    .filter((each) => each.at("type").text() === "jwt_token_file")
    .map((each) => each.at("config").at("jwt_token_file").needed());
  const features = server
    .at("server_features")
    .items()
    .map((each) => each.needed());
  return { address, tls: readTls(server.at("channel_creds")), tokenFile: tokens[0], features: new Set(features) };
}

/** The first kind that is known here counts. */
function readTls(creds: JsonReader): XdsServerTls | undefined {
  for (const each of creds.items()) {
    const type = each.at("type").needed();
    if (type === "insecure") return undefined;
    if (type !== "tls") continue;
    const config = each.at("config");
    const files = readFiles(config);
    return { ...files, serverName: undefined, meshIdentity: false };
  }
  return creds.fail('a list with {"type": "insecure"} or {"type": "tls"}');
}

function readFiles(config: JsonReader): CertificateFiles {
  const certFile = config.at("certificate_file").text();
  const keyFile = config.at("private_key_file").text();
  if ((certFile === undefined) !== (keyFile === undefined))
    config.fail("certificate_file and private_key_file together");
  const refresh = config.at("refresh_interval");
  const duration = parseDurationText(refresh.text() ?? "");
  if (duration === undefined && refresh.value !== undefined) refresh.fail('a duration such as "600s"');
  const refreshMs = duration === undefined ? REFRESH_MS : duration.seconds * 1_000 + duration.nanos / 1e6;
  return { certFile, keyFile, caFile: config.at("ca_certificate_file").text(), refreshMs };
}

function readAuthority(name: string, authority: JsonReader): readonly [string, XdsAuthority] {
  const template = authority.at("client_listener_resource_name_template");
  const prefix = `xdstp://${name}/`;
  const listenerTemplate = template.text() || `${prefix}envoy.config.listener.v3.Listener/%s`;
  if (!listenerTemplate.startsWith(prefix)) template.fail(`a name that begins with ${prefix}`);
  return [name, { servers: authority.at("xds_servers").items().map(readServer), listenerTemplate }];
}

function readNode(node: JsonReader): BootstrapNode {
  const [id, cluster] = [node.at("id").text(), node.at("cluster").text()];
  const place = node.at("locality");
  const [region, zone, sub_zone] = [place.at("region").text(), place.at("zone").text(), place.at("sub_zone").text()];
  const locality = {
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...(sub_zone === undefined ? {} : { sub_zone }),
  };
  const metadata = node.at("metadata");
  return {
    ...(id === undefined ? {} : { id }),
    ...(cluster === undefined ? {} : { cluster }),
    ...(Object.keys(locality).length === 0 ? {} : { locality }),
    ...(metadata.value === undefined ? {} : { metadata: metadata.object() }),
  };
}
