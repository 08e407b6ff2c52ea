/** Intentions: the config entry of Consul 1.9 and later, and the list of older servers. */

import type { Intention, IntentionSource, Permission } from "./config-entry.js";
import { FieldFault, Fields } from "./field.js";
import { readValueMatch } from "./read-router.js";

/** @throws {FieldFault} */
export function readIntentions(name: string, fields: Fields): Intention {
  return { destination: name, sources: fields.lists("Sources").map(readSource), origin: `service-intentions/${name}` };
}

/** One of `/v1/connect/intentions`. @throws {FieldFault} */
export function readOldIntention(data: unknown): Intention {
  const fields = new Fields(data);
  const destination = fields.text("DestinationName");
  const name = fields.text("SourceName");
  if (destination === undefined || name === undefined) throw new FieldFault("SourceName or DestinationName is missing");
  const source = {
    name,
    peer: fields.text("SourcePeer") ?? "",
    action: readAction(fields),
    permissions: fields.lists("Permissions").map(readPermission),
  };
  return { destination, sources: [checked(source, fields)], origin: `intention/${name}:${destination}` };
}

function readSource(fields: Fields): IntentionSource {
  const name = fields.text("Name");
  if (name === undefined) throw fields.fault("Name", "is missing");
  const source = {
    name,
    // A group stands for clusters, this one among them: who it lets in is not known here.
    peer: fields.text("Peer") ?? fields.text("SamenessGroup") ?? "",
    action: readAction(fields),
    permissions: fields.lists("Permissions").map(readPermission),
  };
  return checked(source, fields);
}

function checked(source: IntentionSource, fields: Fields): IntentionSource {
  const ways = (source.action === undefined ? 0 : 1) + (source.permissions.length > 0 ? 1 : 0);
  if (ways !== 1) throw fields.fault("Action", "and Permissions: expected one of the two");
  return source;
}

function readAction(fields: Fields): IntentionSource["action"] {
  const action = fields.text("Action")?.toLowerCase();
  if (action === undefined || action === "allow" || action === "deny") return action;
  throw fields.fault("Action", `is ${JSON.stringify(action)}, expected allow or deny`);
}

function readPermission(fields: Fields): Permission {
  const action = readAction(fields);
  if (action === undefined) throw fields.fault("Action", "is missing");
  const http = fields.fields("HTTP");
  return {
    action,
    pathExact: http.text("PathExact"),
    pathPrefix: http.text("PathPrefix"),
    pathRegex: http.text("PathRegex"),
    methods: http.texts("Methods").map((method) => method.toUpperCase()),
    headers: http.lists("Header").map(readValueMatch),
    needsToken: fields.unread(["JWT"]).length > 0,
  };
}
