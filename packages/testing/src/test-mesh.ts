/**
 * A whole mesh inside one test: several services on ports of their own, one registry in memory, policy as YAML. Real
 * sockets on loopback, so what a test sees is what a user would see.
 */

import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { MemoryRegistry } from "@inmesh/core";
import { type Document, parseDocuments, validateDocument } from "@inmesh/model";
import { createMesh, type Mesh } from "@inmesh/node";

export interface TestService {
  readonly handler: RequestListener;
  /** Label `version`; subsets choose by it. */
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
}

export interface TestMeshOptions {
  /** Instances by service name. One listener, one described instance, or several. */
  readonly services: Readonly<Record<string, RequestListener | TestService | readonly TestService[]>>;
  /** Istio YAML, any number of documents. */
  readonly policy?: string;
  /** @default "default" */
  readonly namespace?: string;
}

/** One running instance. */
export interface TestInstance {
  readonly service: string;
  readonly version: string;
  readonly port: number;
  /** Requests it was given so far. */
  readonly requests: number;
  /** For calls in its name. */
  readonly mesh: Mesh;
  /** Breaks its connections and refuses new ones, as a killed process does; its lease stays until `close`. */
  kill(): void;
}

export interface TestMesh extends AsyncDisposable {
  /** Calls as a client that is no service of the mesh itself. */
  readonly fetch: Mesh["fetch"];
  readonly client: Mesh;
  readonly registry: MemoryRegistry;
  /** Instances of a service in the order in which they were given. */
  instances(service: string): readonly TestInstance[];
  /**
   * Adds or replaces policy; resolves when every instance works by it.
   * @throws {Error} naming file, line and reason when a document is not valid
   */
  apply(yaml: string): Promise<void>;
  /** Removes policy by `Kind/namespace/name`; resolves when every instance works without it. */
  remove(...keys: string[]): Promise<void>;
  close(): Promise<void>;
}

export async function testMesh({ services, policy = "", namespace = "default" }: TestMeshOptions): Promise<TestMesh> {
  const registry = new MemoryRegistry({ documents: readPolicy(policy, namespace) });
  const started: Instance[] = [];
  const client = await createMesh({ ...QUIET, service: "test-client", namespace, config: registry });
  const meshes = (): readonly Mesh[] => [client, ...started.map(({ mesh }) => mesh)];
  const close = async (): Promise<void> => {
    for (const instance of started) instance.kill();
    await Promise.all(meshes().map((mesh) => mesh.close()));
    await registry.close();
  };
  try {
    for (const [service, given] of Object.entries(services)) {
      for (const described of asList(given)) {
        started.push(await startInstance(service, described, namespace, registry, started.length));
      }
    }
    await Promise.all(meshes().map((mesh) => mesh.ready()));
    await settled(meshes());
  } catch (error) {
    await close();
    throw error;
  }
  return {
    fetch: client.fetch,
    client,
    registry,
    instances: (service) => started.filter((instance) => instance.service === service),
    async apply(yaml) {
      await registry.apply(readPolicy(yaml, namespace));
      await settled(meshes());
    },
    async remove(...keys) {
      await registry.delete(keys);
      await settled(meshes());
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

interface Instance extends TestInstance {
  requests: number;
}

/** No admin endpoint, no wait for other processes to notice: everybody is in this one. */
const QUIET = { admin: "off", propagationDelayMs: 0, drainTimeoutMs: 1_000, log: "error" } as const;

async function startInstance(
  service: string,
  { handler, version = "", labels = {} }: TestService,
  namespace: string,
  config: MemoryRegistry,
  number: number,
): Promise<Instance> {
  const mesh = await createMesh({
    ...QUIET,
    service,
    namespace,
    config,
    instance: `${service}-${number}`,
    labels: { ...labels, ...(version === "" ? {} : { version }) },
  });
  const server: Server = createServer((request, response) => {
    instance.requests += 1;
    handler(request, response);
  });
  mesh.attach(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error(`${service} has no port`);
  const instance: Instance = {
    service,
    version,
    port: address.port,
    requests: 0,
    mesh,
    kill() {
      server.close();
      server.closeAllConnections();
    },
  };
  return instance;
}

/** A registry in memory tells its readers in the next microtasks; two turns of the loop cover compile and publish. */
async function settled(meshes: readonly Mesh[]): Promise<void> {
  const versions = (): string => meshes.map(({ status }) => status.snapshot.revision).join();
  let before = "";
  for (let turn = 0; turn < 50 && (turn < 4 || before !== versions()); turn++) {
    before = versions();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function readPolicy(yaml: string, namespace: string): readonly Document[] {
  const { documents, problems } = parseDocuments(yaml, { file: "policy.yaml", namespace });
  const errors = [...problems, ...documents.flatMap((document) => validateDocument(document).problems)].filter(
    ({ severity }) => severity === "error",
  );
  if (errors.length > 0) {
    throw new Error(
      errors.map(({ code, file, line, path, message }) => `${code} ${file}:${line} ${path}: ${message}`).join("\n"),
    );
  }
  return documents;
}

function asList(given: RequestListener | TestService | readonly TestService[]): readonly TestService[] {
  if (typeof given === "function") return [{ handler: given }];
  return "handler" in given ? [given] : given;
}
