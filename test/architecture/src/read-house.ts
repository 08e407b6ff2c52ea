/** Reads manifests and imports of every package, as text: nothing of the project is run. */

import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..", "..");

export interface SourceFile {
  /** Relative to `packages/`, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly isTest: boolean;
  /** Specifiers of static and dynamic imports and re-exports. */
  readonly imports: readonly string[];
}

export interface Package {
  readonly folder: string;
  readonly name: string;
  readonly version: string;
  readonly manifest: Readonly<Record<string, unknown>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly files: readonly SourceFile[];
}

export function readPackages(): readonly Package[] {
  return readdirSync(join(ROOT, "packages")).map((folder) => {
    const manifest = JSON.parse(readFileSync(join(ROOT, "packages", folder, "package.json"), "utf8"));
    return {
      folder,
      name: manifest.name,
      version: manifest.version,
      manifest,
      dependencies: { ...manifest.dependencies, ...manifest.optionalDependencies, ...manifest.peerDependencies },
      devDependencies: manifest.devDependencies ?? {},
      files: [...sources(join(ROOT, "packages", folder))],
    };
  });
}

/** Every library from outside that any manifest names, ours and types of others left out. */
export function outsideLibraries(): readonly string[] {
  const folders = ["packages", "test", "examples"].flatMap((part) =>
    readdirSync(join(ROOT, part)).map((name) => join(ROOT, part, name)),
  );
  const manifests = [ROOT, ...folders]
    .map((folder) => join(folder, "package.json"))
    .filter(existsSync)
    .map((file) => JSON.parse(readFileSync(file, "utf8")));
  const named = manifests.flatMap(({ dependencies, devDependencies, peerDependencies, optionalDependencies }) =>
    Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies, ...optionalDependencies }),
  );
  return [...new Set(named)].filter((name) => !/^@types\/|^@inmesh|^inmesh$/.test(name)).sort();
}

export function trackedTopLevel(): readonly string[] {
  return execFileSync("git", ["ls-tree", "--name-only", "HEAD"], { cwd: ROOT, encoding: "utf8" }).trim().split("\n");
}

/** `@scope/name` or `name` of a specifier; undefined for relative and node: ones. */
export function packageOf(specifier: string): string | undefined {
  if (specifier.startsWith(".") || specifier.startsWith("node:") || specifier.startsWith("#")) return undefined;
  const [first, second] = specifier.split("/");
  return first!.startsWith("@") ? `${first}/${second}` : first; // split yields at least one part
}

function* sources(folder: string): Generator<SourceFile> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules" || entry.name === "dist") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.(ts|tsx|mts|cts)$/.test(entry.name)) yield readSource(path);
  }
}

function readSource(path: string): SourceFile {
  const text = readFileSync(path, "utf8");
  const name = relative(join(ROOT, "packages"), path).replaceAll("\\", "/");
  const imports = [
    ...text.matchAll(
      /(?:^|\n)\s*(?:import|export)\s[^;'"]*?from\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)|(?:^|\n)\s*import\s+["']([^"']+)["']/g,
    ),
  ].map(
    (match) => match[1] ?? match[2] ?? match[3]!, // one of the three alternatives matched
  );
  return { path: name, text, imports, isTest: /\.test\.|\.contract\.|vitest\.config|\/test\/|\/testing/.test(name) };
}
