/** Names for services that came without one: the nearest package.json of their script says who they are. */

import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, extname, isAbsolute, join, parse } from "node:path";

interface Nameable {
  readonly service: string | undefined;
  readonly command: readonly string[];
  readonly cwd: string;
}

/** File names that say nothing about their program. */
const GENERIC = new Set(["index", "main", "server", "app", "start", "dist", "src", "lib", "bin", "build"]);
const FALLBACK = "service";

/**
 * One name per spec, in order. The package's name, unless different scripts share the package: then each script's own,
 * for two services under one name would be taken for two replicas of one.
 */
export function serviceNames(specs: readonly Nameable[]): string[] {
  const scripts = specs.map(({ command, cwd }) => scriptOf(command, cwd));
  const packages = specs.map(({ cwd }, index) => packageName(dirname(scripts[index] ?? join(cwd, "x"))));
  return specs.map(({ service, command }, index) => {
    if (service !== undefined) return service;
    const script = scripts[index];
    const name = packages[index];
    const shared = specs.some(
      (other, at) =>
        other.service === undefined &&
        packages[at] === name &&
        identity(other, scripts[at]) !== identity({ command }, script),
    );
    if (name !== undefined && !shared) return name;
    return script === undefined ? (name ?? dnsLabel(command.at(-1) ?? "") ?? FALLBACK) : scriptName(script);
  });
}

/** The first argument that is a file, as `node`, `tsx` and the like take it. */
function scriptOf(command: readonly string[], cwd: string): string | undefined {
  const words = command.length === 1 ? command : command.slice(1);
  for (const word of words) {
    if (word.startsWith("-")) continue;
    const path = isAbsolute(word) ? word : join(cwd, word);
    if (/[./\\]/.test(word) && existsSync(path)) return path;
  }
  return undefined;
}

function packageName(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const name = nameIn(join(at, "package.json"));
    if (name !== undefined) return dnsLabel(name);
    if (at === parse(at).root || existsSync(join(at, "package.json"))) return undefined;
  }
}

function nameIn(file: string): string | undefined {
  try {
    const content: unknown = JSON.parse(readFileSync(file, "utf8"));
    if (typeof content !== "object" || content === null || !("name" in content)) return undefined;
    return typeof content.name === "string" ? content.name.replace(/^@[^/]*\//, "") : undefined;
  } catch {
    return undefined; // not there, or none of ours to judge
  }
}

/** `reviews/index.js` is called by its folder, `reviews.js` by itself. */
function scriptName(script: string): string {
  let at = script.slice(0, script.length - extname(script).length);
  while (GENERIC.has(basename(at)) && dirname(at) !== at) at = dirname(at);
  return dnsLabel(basename(at)) ?? FALLBACK;
}

/** Two commands of one identity are replicas of one service. */
function identity({ command }: Pick<Nameable, "command">, script: string | undefined): string {
  return script ?? command.join(" ");
}

/** @returns undefined when nothing usable is left of it */
export function dnsLabel(text: string): string | undefined {
  const label = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
  return label === "" ? undefined : label;
}
