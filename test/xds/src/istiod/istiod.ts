/** A real istiod without Kubernetes: its configuration is one file, replaced at once, so that every push is one consistent set. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../eventually.js";

export interface IstiodOptions {
  readonly binary: string;
  /** Documents to begin with. */
  readonly documents?: readonly object[];
  /** MeshConfig. */
  readonly mesh?: object;
  readonly env?: Readonly<Record<string, string>>;
  /** Files in its working folder, such as certificates, by their path there. */
  readonly files?: Readonly<Record<string, string>>;
}

export class Istiod implements AsyncDisposable {
  readonly folder = mkdtempSync(join(tmpdir(), "inmesh-istiod-"));
  readonly #options: IstiodOptions;
  #ports: { readonly plain: number; readonly tls: number } | undefined;
  #child: ChildProcess | undefined;

  private constructor(options: IstiodOptions) {
    this.#options = options;
  }

  static async start(options: IstiodOptions): Promise<Istiod> {
    const istiod = new Istiod(options);
    mkdirSync(join(istiod.folder, "config"));
    const { mesh = {}, documents = [], files = {} } = options;
    writeFileSync(join(istiod.folder, "mesh.yaml"), JSON.stringify({ trustDomain: "cluster.local", ...mesh }));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(join(istiod.folder, name, ".."), { recursive: true });
      writeFileSync(join(istiod.folder, name), text);
    }
    istiod.write(documents);
    await istiod.run();
    return istiod;
  }

  /** `127.0.0.1:port`, in plain text. */
  get address(): string {
    return `127.0.0.1:${this.#ports?.plain}`;
  }

  /** `127.0.0.1:port`, over TLS: with the authority. */
  get secureAddress(): string {
    return `127.0.0.1:${this.#ports?.tls}`;
  }

  get log(): string {
    return readFileSync(join(this.folder, "istiod.log"), "utf8");
  }

  /** This is all there is from now on. */
  write(documents: readonly object[]): void {
    // The comment keeps istiod from taking a stream of YAML for one of JSON.
    const text = ["# policy", ...documents.map((document) => JSON.stringify(document))].join("\n---\n");
    writeFileSync(join(this.folder, "next"), text);
    renameSync(join(this.folder, "next"), join(this.folder, "config", "all.yaml"));
  }

  /** Begins, or begins again at the same addresses, with the files of before. */
  async run(): Promise<void> {
    const again = this.#ports !== undefined;
    for (let attempt = 1; ; attempt++) {
      this.#ports ??= { plain: await freePort(), tls: await freePort() };
      const taken = await this.#listens(this.#ports);
      if (!taken) return;
      // Between the search and istiod somebody else may take a free port.
      if (again || attempt === 5) throw new Error(`istiod ended: ${this.log.slice(-2_000)}`);
      this.#ports = undefined;
    }
  }

  /** @returns whether one of the ports was taken */
  async #listens({ plain, tls }: { readonly plain: number; readonly tls: number }): Promise<boolean> {
    const { binary, env = {} } = this.#options;
    const log = openSync(join(this.folder, "istiod.log"), "a");
    const arguments_ = [
      ...["discovery", "--registries=", "--configDir", join(this.folder, "config")],
      ...["--meshConfig", join(this.folder, "mesh.yaml"), "--networksConfig", join(this.folder, "none.yaml")],
      ...["--grpcAddr", `127.0.0.1:${plain}`, "--secureGRPCAddr", `127.0.0.1:${tls}`],
      ...["--httpAddr", "127.0.0.1:0", "--monitoringAddr", "127.0.0.1:0", "--httpsAddr=", "--ctrlz_port", "0"],
      ...["--domain", "cluster.local"],
    ];
    const child = spawn(binary, arguments_, {
      cwd: this.folder,
      stdio: ["ignore", log, log],
      env: { ...process.env, XDS_AUTH: "false", POD_NAMESPACE: "istio-system", POD_NAME: "istiod", ...env },
    });
    this.#child = child;
    return eventually("istiod listens", async () => {
      if (child.exitCode === null) return (await accepts(plain)) ? { taken: false } : undefined;
      const text = this.log.slice(-2_000);
      if (text.includes("address already in use")) return { taken: true };
      throw new Error(`istiod ended: ${text}`);
    }).then(({ taken }) => taken);
  }

  async stop(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill(signal);
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function freePort(): Promise<number> {
  const server = createServer();
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
