/** What `inmesh init` will write, decided before anything is. */

import { existsSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { stringify } from "yaml";
import { SETTINGS_FILE } from "../registry/settings-file.js";
import type { Manifest } from "./manifest.js";

export interface Answers {
  readonly service: string;
  readonly namespace: string;
  /** As written into inmesh.yaml. */
  readonly config: string;
  /** Name of the script; undefined: none is added. */
  readonly script: string | undefined;
}

export interface PlannedFile {
  /** Relative to the package, or as typed. */
  readonly path: string;
  readonly action: "create" | "overwrite" | "change" | "keep";
  /** Undefined where nothing is written. */
  readonly text: string | undefined;
  /** In words. */
  readonly about: string;
}

export interface Plan {
  readonly files: readonly PlannedFile[];
  /** The start script, or undefined. */
  readonly command: string | undefined;
  readonly next: readonly string[];
  readonly undo: readonly string[];
}

const REGISTER = "@inmesh/node/register";
const HEAD = `# How processes that are started in this folder join the mesh. Variables such as INMESH_SERVICE beat this file.
# Every key: docs/reference/configuration.md of inmesh
`;
const IGNORE = `# Running processes register here; policy beside it belongs into the repository.
.workloads/
`;
/** Where programs usually begin. */
const ENTRIES = ["server.js", "index.js", "app.js", "main.js", "src/index.js", "src/server.js", "src/main.js"];

/** @param edit puts a script into the text of package.json */
export function makePlan(
  folder: string,
  manifest: Manifest,
  { service, namespace, config, script }: Answers,
  force: boolean,
  edit: (text: string, name: string, command: string) => string,
): Plan {
  const settings = `${HEAD}${stringify({ service, namespace, config })}`;
  const here = existsSync(join(folder, SETTINGS_FILE));
  const files: PlannedFile[] = [
    {
      path: SETTINGS_FILE,
      action: here ? "overwrite" : "create",
      text: settings,
      about: `service ${service}, namespace ${namespace}, registry ${config}`,
    },
  ];
  const undo = [here ? `git checkout ${SETTINGS_FILE}` : `rm ${SETTINGS_FILE}`];
  if (!config.includes("://") && !existsSync(isAbsolute(config) ? config : join(folder, config))) {
    const path = `${config.replace(/\/+$/, "")}/.gitignore`;
    files.push({ path, action: "create", text: IGNORE, about: "makes the registry folder: policy goes there" });
    undo.push(`rm -r ${config}`);
  }
  const command = script === undefined ? undefined : startCommand(folder, manifest);
  if (script !== undefined && command !== undefined) {
    const before = manifest.scripts[script];
    const about = `scripts.${script}: ${command}`;
    if (before === command)
      files.push({ path: "package.json", action: "keep", text: undefined, about: `has ${about}` });
    else if (before !== undefined && !force) {
      const kept = `scripts.${script} is there already and stays: ${before}`;
      files.push({ path: "package.json", action: "keep", text: undefined, about: kept });
    } else {
      const was = before === undefined ? "" : ` (it was: ${before})`;
      const text = edit(manifest.text, script, command);
      files.push({ path: "package.json", action: "change", text, about: `${about}${was}` });
      undo.push(before === undefined ? `npm pkg delete "scripts.${script}"` : "git checkout package.json");
    }
  }
  return { files, command, next: nextSteps(folder, manifest, script, command), undo };
}

/** The start script with the flag of Node where it is a plain one; else what it is, through `inmesh run`. */
function startCommand(folder: string, { main, scripts }: Manifest): string | undefined {
  const { start } = scripts;
  if (start !== undefined) {
    const [, rest] = /^node\s+(\S[^&|;<>]*)$/.exec(start.trim()) ?? [];
    if (start.includes(REGISTER)) return start;
    return rest === undefined ? "inmesh run -- npm start" : `node --import ${REGISTER} ${rest}`;
  }
  const entry = [main, ...ENTRIES].find((file) => file !== undefined && existsSync(join(folder, file)));
  return entry === undefined ? undefined : `node --import ${REGISTER} ${entry}`;
}

function nextSteps(
  folder: string,
  { dependencies }: Manifest,
  script: string | undefined,
  command: string | undefined,
): string[] {
  const [install, run] = packageManager(folder);
  const steps: string[] = [];
  if (dependencies["@inmesh/node"] === undefined) steps.push(`${install} @inmesh/node`);
  if (dependencies["inmesh"] === undefined)
    steps.push(`${install} ${install === "yarn add" ? "--dev" : "--save-dev"} inmesh`);
  steps.push(script !== undefined && command !== undefined ? `${run} ${script}` : `npx inmesh run -- node FILE`);
  steps.push("npx inmesh check");
  return steps;
}

function packageManager(folder: string): [install: string, run: string] {
  if (existsSync(join(folder, "pnpm-lock.yaml"))) return ["pnpm add", "pnpm run"];
  if (existsSync(join(folder, "yarn.lock"))) return ["yarn add", "yarn run"];
  return ["npm install", "npm run"];
}
