/** Which registry a command line, the environment or inmesh.yaml names, before anybody has asked it. */

import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import type { Cli } from "../cli.js";
import { CliError, EXIT } from "../exit.js";
import { readSettingsFile } from "./settings-file.js";

export type RegistryName =
  | {
      readonly kind: "folder";
      /** As it was typed. */
      readonly shown: string;
      /** Absolute. */
      readonly path: string;
    }
  | {
      readonly kind: "consul";
      readonly shown: string;
      /** May hold a token: for nobody's eyes. */
      readonly url: string;
    }
  | {
      /** A control plane: it tells what it has, and takes nothing. */
      readonly kind: "xds";
      readonly shown: string;
      readonly url: string;
    };

/** @throws {CliError} for a registry that commands cannot read */
export function registryName({ config }: { readonly config?: string }, { io }: Cli): RegistryName {
  const text = config ?? (io.env["INMESH_CONFIG"] || undefined) ?? defaultConfig(io);
  const scheme = schemeOf(text);
  if (scheme === "consul" || scheme === "consul+https") return { kind: "consul", shown: shownUrl(text), url: text };
  if (scheme === "xds") return { kind: "xds", shown: shownUrl(text), url: text };
  if (scheme !== undefined) {
    throw new CliError(
      EXIT.usage,
      `the registry "${shownUrl(text)}" is no folder, no Consul and no xDS control plane, and this version of the command reads no other`,
      "Give one: --config DIR, --config consul://HOST:8500, --config xds://HOST:15010.",
    );
  }
  if (text === "") throw new CliError(EXIT.usage, "the registry is empty", "Give its folder: --config DIR.");
  return { kind: "folder", shown: text, path: isAbsolute(text) ? text : join(io.cwd, text) };
}

/** In lower case; undefined for what is a path. */
export function schemeOf(text: string): string | undefined {
  return /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase();
}

/** Without what may be secret in it; a path is left as it is. */
export function shownUrl(text: string): string {
  if (schemeOf(text) === undefined) return text;
  const [before = "", query] = text.split("?", 2);
  const kept = (query ?? "").split("&").filter((pair) => pair !== "" && !/^[^=]*(token|secret|password)/i.test(pair));
  // Up to the last `@`: a token may hold one that nobody escaped.
  return `${before.replace(/^([^:]+:\/\/).*@/, "$1")}${kept.length === 0 ? "" : `?${kept.join("&")}`}`;
}

/** As a process started here finds it: inmesh.yaml, else `./mesh`, else that of the home folder. */
function defaultConfig({ cwd, env }: Cli["io"]): string {
  const { config } = readSettingsFile(cwd);
  if (config !== undefined) return config;
  if (existsSync(join(cwd, "mesh"))) return "./mesh";
  const home = join(env["HOME"] || env["USERPROFILE"] || cwd, ".inmesh", "mesh");
  return existsSync(home) ? home : "./mesh";
}
