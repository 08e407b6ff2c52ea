/**
 * MeshMode (inmesh.dev): the live switch. In the root namespace it holds for the mesh, elsewhere for its namespace,
 * with a selector for the workloads that it chooses there; the narrowest one counts.
 */

import * as z from "zod/mini";
import { matchLabelsSelector } from "./field.js";

/** Readers of YAML 1.1 turn `off` and `on` into booleans before we see them. */
export const meshModeValues = [...(["off", "observe", "on"] as const), false, true] as const;

export const meshMode = z.strictObject({
  mode: z.literal(meshModeValues),
  selector: z.optional(matchLabelsSelector),
});

export type MeshModeSpec = z.infer<typeof meshMode>;
