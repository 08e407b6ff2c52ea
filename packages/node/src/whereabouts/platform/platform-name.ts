/** Platforms that tell a process where it runs. Never asked unless a setting says so. */

const NAMES = ["ecs", "ec2", "gce", "azure", "auto"] as const;
export type PlatformName = (typeof NAMES)[number];

/** A setting's value that says whom to ask, in place of what it sets. */
export function isPlatformName(value: string | undefined): value is PlatformName {
  return NAMES.some((name) => name === value);
}

/** Where they are asked, as option `exclude` takes it: none of the mesh's business. */
export const METADATA_HOSTS: readonly string[] = ["169.254.169.254", "169.254.170.2"];
