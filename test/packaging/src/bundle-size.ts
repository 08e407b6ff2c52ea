/** Size of a package as a bundler would ship it. */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { rolldown } from "rolldown";

/**
 * All of these entries in one minified file, gzipped, in bytes; what belongs to another package is left out.
 * @param folder where the package is installed
 */
export async function bundledBytes(folder: string, name: string, entries: readonly string[]): Promise<number> {
  const input = join(folder, "all-entries.mjs");
  // As namespaces: of a name that two entries have, `export *` would take neither.
  writeFileSync(input, entries.map((entry, index) => `export * as entry${index} from "${entry}";\n`).join(""));
  const external = (id: string): boolean => /^(node:|@?[a-z])/.test(id) && id !== name && !id.startsWith(`${name}/`);
  const bundle = await rolldown({ input, external, platform: "node" });
  const { output } = await bundle.generate({ format: "esm", minify: true });
  await bundle.close();
  return gzipSync(output.map((chunk) => ("code" in chunk ? chunk.code : "")).join("\n"), { level: 9 }).length;
}
