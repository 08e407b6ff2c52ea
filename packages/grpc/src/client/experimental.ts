/**
 * The only file that touches `grpc.experimental`. A client made for `inmesh:` or `xds:` without the mesh's channel would ask
 * grpc-js for a resolver of that scheme: this one says what is missing, where grpc-js would only say that it knows no such scheme.
 */

import type { GrpcModule } from "./grpc-module.js";

const SCHEMES = ["inmesh", "xds"] as const;
const registered = new WeakSet<GrpcModule>();

type Experimental = GrpcModule["experimental"];
type Resolver = Parameters<Experimental["registerResolver"]>[1];
type Made = ConstructorParameters<Resolver>;

/** Once per copy. Whoever registers `xds` after us, as @grpc/grpc-js-xds does, has it. */
export function registerSchemes(grpc: GrpcModule): void {
  if (registered.has(grpc)) return;
  registered.add(grpc);
  const { experimental, status, Metadata } = grpc;

  class WithoutMesh {
    readonly #tell: () => void;

    constructor(target: Made[0], listener: Made[1]) {
      const name = experimental.uriToString(target);
      const details = `"${name}" is a name of the mesh, and this client was made without it: give it mesh.grpc.options(), or start the program with --import @inmesh/node/register`;
      const error = experimental.statusOrFromError({ code: status.UNAVAILABLE, details, metadata: new Metadata() });
      // Never within the call of the channel that asks.
      this.#tell = () => void setImmediate(() => listener(error as never, {}, null, ""));
    }

    static getDefaultAuthority(target: Made[0]): string {
      return target.path.replace(/^\//, "");
    }

    updateResolution(): void {
      this.#tell();
    }

    destroy(): void {}
  }

  for (const scheme of SCHEMES) experimental.registerResolver(scheme, WithoutMesh as unknown as Resolver);
}
