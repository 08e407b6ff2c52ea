/** The machine's hosts file, read anew for each lookup: it is small, and people edit it to see what changes. */

import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";

const PATH =
  process.platform === "win32"
    ? join(process.env["SystemRoot"] ?? "C:\\Windows", "System32", "drivers", "etc", "hosts")
    : "/etc/hosts";

/** In the order in which they are listed; none when the file cannot be read. */
export async function hostsFileAddresses(name: string, path = PATH): Promise<readonly string[]> {
  const text = await readFile(path, "utf8").catch(() => "");
  const wanted = name.toLowerCase().replace(/\.$/, "");
  const found = new Set<string>();
  for (const line of text.split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    if (isIP(address) !== 0 && names.some((each) => each.toLowerCase() === wanted)) found.add(address);
  }
  return [...found];
}
