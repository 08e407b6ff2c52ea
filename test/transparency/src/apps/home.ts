/** Where an app is installed: with this folder's own dependencies, or by npm, once, in a cache outside of the repository. */

import { existsSync, mkdirSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outputOf } from "../run/child.js";
import type { App } from "./app.js";

export interface Home {
  /** Node finds the app's packages from here. */
  readonly folder: string;
  /** @param script below node_modules */
  find(script: string): string;
}

/** In ms. */
const INSTALL_TIMEOUT = 10 * 60_000;

export async function homeOf(app: App, say: (line: string) => void): Promise<Home> {
  if (app.packages === undefined) return { folder: tmpdir(), find: (script) => findFrom(import.meta.url, script) };
  const folder = join(tmpdir(), "inmesh-transparency-apps", app.packages[0]!.replaceAll("/", "+")); // it has one at least
  if (!existsSync(join(folder, "installed"))) await install(app, folder, say);
  return { folder, find: (script) => findFrom(join(folder, "package.json"), script) };
}

async function install(
  { name, packages = [], overrides }: App,
  folder: string,
  say: (line: string) => void,
): Promise<void> {
  say(`${name}: installing ${packages.join(" ")}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, overrides }));
  const args = ["install", "--no-audit", "--no-fund", "--loglevel=error", "--save-exact", ...packages];
  const { end } = await outputOf("npm", args, { folder, env: process.env, timeout: INSTALL_TIMEOUT });
  if (!existsSync(join(folder, "node_modules"))) throw new Error(`${name} could not be installed: npm ${end}`);
  writeFileSync(join(folder, "installing"), "");
  renameSync(join(folder, "installing"), join(folder, "installed"));
}

function findFrom(where: string, script: string): string {
  const [first = "", second = ""] = script.split("/");
  const name = first.startsWith("@") ? `${first}/${second}` : first;
  const folders = createRequire(where).resolve.paths(name) ?? [];
  const found = folders.map((each) => join(each, script)).find((each) => existsSync(each));
  if (found === undefined)
    throw new Error(`${script} is not there: ${name} is not installed in ${folders[0]} or above`);
  return found;
}
