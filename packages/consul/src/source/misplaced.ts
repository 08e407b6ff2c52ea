/** Policy that stands under a service and is not for that one alone: others whom it is about do not read it. */

import { type ParseDocuments, registryProblem } from "@inmesh/core/internal";
import type { Document, Problem } from "@inmesh/model";
import type { ConsulTarget } from "../client/consul-target.js";
import { policyKey, policyPrefix, serviceOfKey, servicesPrefix } from "../keys.js";
import { onlyServiceOf } from "../policy-place.js";

/** Reads keys below the services' prefix. */
export function parseBelowServices(target: ConsulTarget, parse: ParseDocuments): ParseDocuments {
  return (text, options) => {
    if (serviceOfKey(target, options.file) === undefined)
      return { documents: [], problems: [belowNoService(target, options.file)] };
    const { documents, problems } = parse(text, options);
    const found = documents.flatMap((document) => misplaced(target, document, options.file));
    return { documents, problems: [...problems, ...found] };
  };
}

/** Nobody would ask for it. */
export function belowNoService(target: ConsulTarget, key: string): Problem {
  const message = `the key ${key} is below no service, and not in force. Policy for one service stands below ${servicesPrefix(target)}NAMESPACE/SERVICE/, everybody's below ${policyPrefix(target)}; inmesh apply puts it where it belongs.`;
  return registryProblem("IM0721", "warning", message, { file: key });
}

function misplaced(target: ConsulTarget, document: Document, key: string): Problem[] {
  const service = serviceOfKey(target, key);
  const only = onlyServiceOf(document);
  if (service === undefined) return [];
  if (only?.namespace === service.namespace && only.service === service.service) return [];
  const where = policyKey(target, document.key, only);
  const message = `${document.key} stands below ${service.service}.${service.namespace}, in ${key}, and is not for that service alone: it is in force for those only who read that service's rules. Apply it again (inmesh apply), or move it to ${where}.`;
  const { file, line, column } = document.origin;
  return [registryProblem("IM0721", "warning", message, { resource: document.key, file, line, column })];
}
