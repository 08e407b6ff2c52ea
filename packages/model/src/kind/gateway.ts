/** Gateway (networking.istio.io). It has no effect here; analysis reads it, since VirtualServices name it. */

import * as z from "zod/mini";
import { message, stringList, stringMap, text, uint32 } from "./field.js";
import { serverTls } from "./sidecar.js";

const server = message({
  port: message({ number: uint32, protocol: text, name: text, targetPort: uint32 }),
  bind: text,
  hosts: stringList,
  tls: serverTls,
  defaultEndpoint: text,
  name: text,
});

export const gateway = message({ servers: z.array(server), selector: stringMap });

export type GatewaySpec = z.infer<typeof gateway>;
