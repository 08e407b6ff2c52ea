/** A program of others that serves HTTP: what it is started with, and what a user of it would do. */

import type { AppClient } from "./app-client.js";

/** What differs from start to start. */
export interface Setting {
  /** The app is to listen here, on 127.0.0.1. */
  readonly port: number;
  /** URL of a service that the app calls: by address without a mesh, by its name in the mesh with one. */
  readonly upstream: string;
}

export interface App {
  readonly name: string;
  /** With exact versions; installed together on demand. Absent: it is a development dependency of this folder. */
  readonly packages?: readonly string[];
  readonly overrides?: Readonly<Record<string, string>>;
  /** Written to the folder it runs in, by relative path. */
  files?(setting: Setting): Readonly<Record<string, string>>;
  /** Run before the first start, such as a build. As `start`. */
  prepare?(setting: Setting): readonly string[];
  /** A script and its arguments: below the folder it runs in when it starts with `./`, else below node_modules. */
  start(setting: Setting): readonly string[];
  /** It takes requests once this path is answered. @default "/" */
  readonly ready?: string;
  /** Resolves with everything that must be the same with a mesh. */
  use(client: AppClient): Promise<unknown>;
}
