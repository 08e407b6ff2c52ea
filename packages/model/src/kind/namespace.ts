/** Kubernetes Namespace (core v1): its labels are what selectors of namespaces look at. */

import type * as z from "zod/mini";
import { message, stringList } from "./field.js";

export const namespace = message({ finalizers: stringList });

export type NamespaceSpec = z.infer<typeof namespace>;
