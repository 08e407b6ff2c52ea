/** Problems that a registry finds, as opposed to those of a document's content. */

import type { Problem, Severity } from "@inmesh/model";

/** Code → when it appears. `docs/reference/problems.md` lists the same. */
export const REGISTRY_PROBLEMS = {
  IM0701: "the same resource stands in two places",
  IM0702: "a file or folder of the registry cannot be read",
  IM0703: "a lease cannot be understood and is left out",
  IM0704: "the lease of this process cannot be written",
  IM0705: "a folder holds more files or deeper folders than a registry may",
  IM0706: "the saved state cannot be used",
  IM0707: "the state cannot be saved",
  IM0708: "the policy could not be compiled",
  IM0709: "the folder cannot be watched and is only looked at from time to time",
  IM0713: "a change is made and not in the history",
  IM0720: "the registry names no service to this process, not even its own",
  IM0721: "policy stands below a service that it is not for alone, or below none",
  IM0730: "a config entry of Consul cannot be understood and is left out",
  IM0731: "a config entry of Consul gives way to policy of the mesh for the same host",
  IM0741: "a resource of the control plane is refused, and its last good version stays",
  IM0742: "part of a resource of the control plane is passed over",
  IM0743: "the control plane has taken back the listener for a port of this process, and its last good version stays",
} as const satisfies Record<`IM${number}`, string>;

export type RegistryProblemCode = keyof typeof REGISTRY_PROBLEMS;

export function registryProblem(
  code: RegistryProblemCode,
  severity: Severity,
  message: string,
  place: Partial<Pick<Problem, "resource" | "file" | "line" | "column">> = {},
): Problem {
  return { code, severity, message, resource: "", path: "", file: "", line: 0, column: 0, ...place };
}
