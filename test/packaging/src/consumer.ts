/** Somebody's project: a folder outside this repository, into which our packages are installed. */

import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Programs and policy of the consumer. */
const FIXTURES = join(dirname(fileURLToPath(import.meta.url)), "..", "fixtures");
/** Longest run of one command, in ms: an installation on a busy machine. */
const LIMIT_MS = 90_000;

export interface NpmSettings {
  /** The only registry that npm may ask. */
  readonly registry: string;
  /** Folder; shared by the consumers of one run, so that a library is fetched once. */
  readonly cache: string;
}

export interface RunOptions {
  /** Node that runs it, and everything it starts. @default the one of the test */
  readonly node?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export class Consumer {
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-packaging-"));
  readonly #npm: NpmSettings;

  constructor(npm: NpmSettings) {
    this.#npm = npm;
    writeFileSync(join(this.folder, ".npmrc"), "");
    writeFileSync(join(this.folder, "package.json"), '{ "name": "consumer", "private": true }\n');
    cpSync(FIXTURES, this.folder, { recursive: true });
  }

  /**
   * As a user does, but what does not fit the Node that runs it is an error.
   * @param strict false: npm warns, as it does for users
   */
  async install(specs: readonly string[], options?: RunOptions, strict = true): Promise<string> {
    const flags = strict ? ["--engine-strict"] : [];
    return this.run("npm", ["install", "--no-audit", "--no-fund", ...flags, ...specs], options);
  }

  /** Standard output. @throws with everything it printed when it fails */
  async run(command: string, args: readonly string[], { node = process.execPath, env = {} }: RunOptions = {}) {
    const inherited = Object.entries(process.env).filter(
      ([name]) =>
        !/^(npm_|inmesh_)/i.test(name) &&
        !["NODE_OPTIONS", "NODE_PATH", "VITEST", "NODE_ENV", "FORCE_COLOR"].includes(name),
    );
    const { stdout } = await promisify(execFile)(command, [...args], {
      cwd: this.folder,
      timeout: LIMIT_MS,
      env: {
        ...Object.fromEntries(inherited),
        PATH: `${dirname(node)}${delimiter}${process.env["PATH"]}`,
        HOME: this.folder,
        npm_config_registry: this.#npm.registry,
        npm_config_cache: this.#npm.cache,
        npm_config_userconfig: join(this.folder, ".npmrc"),
        npm_config_update_notifier: "false",
        ...env,
      },
    });
    return stdout;
  }

  dispose(): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
