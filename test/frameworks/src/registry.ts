/** A registry folder of one test, and what its leases say. */

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse } from "yaml";
import { selfSigned } from "./certificate.js";

export interface Lease {
  readonly service: string;
  readonly pid: number;
  readonly admin: string;
  readonly address: string;
  /** Name → number. */
  readonly ports: Readonly<Record<string, number>>;
}

export class Registry implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-frameworks-"));
  /** Key and certificate for servers with TLS. */
  readonly pem = join(this.folder, "tls.pem");

  constructor() {
    writeFileSync(this.pem, selfSigned(), { mode: 0o600 });
  }

  leases(service?: string): readonly Lease[] {
    const directory = join(this.folder, ".workloads");
    if (!existsSync(directory)) return [];
    return readdirSync(directory).flatMap((file) => {
      const [, name = ""] = file.split(".");
      if (!file.endsWith(".yaml") || (service !== undefined && name !== service)) return [];
      try {
        const { metadata, spec } = parse(readFileSync(join(directory, file), "utf8"));
        const said = (key: string) => metadata.annotations[`inmesh.dev/${key}`];
        const { address, ports = {} } = spec;
        return [{ service: name, pid: Number(said("pid")), admin: said("admin"), address, ports }];
      } catch {
        return []; // removed meanwhile
      }
    });
  }

  /** A policy file. */
  write(name: string, text: string): void {
    writeFileSync(join(this.folder, name), text);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
