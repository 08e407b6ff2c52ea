/**
 * Clients of applications that know of no mesh. Every copy of @grpc/grpc-js that is loaded gets its class of channels replaced
 * in the module that defines it, before anybody has read it from there: `Client` and `grpc.Channel` both look it up when
 * they need it. Wherever that class makes a channel to a host of the mesh, the channel is the mesh's.
 */

import Module from "node:module";
import { tellMethodsOfAll } from "../server/tell-methods.js";
import type { GrpcChannel } from "./grpc-call.js";
import type { GrpcModule } from "./grpc-module.js";
import { MESHED, ORIGINAL } from "./original.js";

export interface GrpcHooks {
  /** Makes a channel, of the copy that asks. Undefined: none of the mesh's business. */
  channel(grpc: GrpcModule, ...args: ConstructorParameters<GrpcModule["Channel"]>): GrpcChannel | undefined;
}

/** The file that defines it, whatever the package's folder is called: an alias of npm's may say. */
const DEFINED_IN = /[\\/]build[\\/]src[\\/]channel\.js$/;

const SERVER_DEFINED_IN = /[\\/]@grpc[\\/]grpc-js[\\/]build[\\/]src[\\/]server\.js$/;

type Loader = (module: { readonly exports: unknown }, filename: string) => unknown;

interface ModuleInternals {
  readonly _extensions: Record<string, Loader>;
  readonly _cache: Record<string, { readonly exports: unknown } | undefined>;
}

/** What that file exports. */
interface Definition {
  ChannelImplementation: GrpcModule["Channel"];
}

/** @returns undoes it in every copy */
export function patchGrpc(hooks: GrpcHooks): () => void {
  const internals = Module as unknown as ModuleInternals;
  const undos: (() => void)[] = [];
  for (const [file, module] of Object.entries(internals._cache)) {
    if (module === undefined) continue;
    if (DEFINED_IN.test(file)) see(module.exports, file);
    if (SERVER_DEFINED_IN.test(file)) undos.push(tellMethodsOfAll(module.exports));
  }
  const load = internals._extensions[".js"]!; // Node's own is always there
  const hooked: Loader = function (this: unknown, module, filename) {
    const result = load.call(this, module, filename);
    if (filename.endsWith("channel.js") && DEFINED_IN.test(filename)) see(module.exports, filename);
    if (filename.endsWith("server.js") && SERVER_DEFINED_IN.test(filename))
      undos.push(tellMethodsOfAll(module.exports));
    return result;
  };
  internals._extensions[".js"] = hooked;
  return () => {
    if (internals._extensions[".js"] === hooked) internals._extensions[".js"] = load;
    for (const undo of undos) undo();
  };

  function see(exports: unknown, filename: string): void {
    if (!isDefinition(exports)) return;
    const original = exports.ChannelImplementation;
    if (ORIGINAL in original) return; // another copy of the mesh was first
    const require = Module.createRequire(filename);
    const patched = meshClass(original, hooks, () => require("./index.js") as GrpcModule);
    exports.ChannelImplementation = patched;
    undos.push(() => {
      if (exports.ChannelImplementation === patched) exports.ChannelImplementation = original;
    });
  }
}

function isDefinition(exports: unknown): exports is Definition {
  return (
    typeof exports === "object" &&
    exports !== null &&
    typeof (exports as Partial<Definition>).ChannelImplementation === "function"
  );
}

function meshClass(original: GrpcModule["Channel"], hooks: GrpcHooks, grpc: () => GrpcModule): GrpcModule["Channel"] {
  type Asked = ConstructorParameters<GrpcModule["Channel"]>;
  // A function, because it returns another object than the one that `new` has made for it.
  const replaced = function MeshedChannel(...asked: Asked): unknown {
    const kind = new.target ?? replaced;
    return hooks.channel(grpc(), ...asked) ?? Reflect.construct(original, asked, kind);
  };
  replaced.prototype = original.prototype;
  Object.defineProperty(replaced, ORIGINAL, { value: original });
  Object.defineProperty(replaced, Symbol.hasInstance, {
    value: (each: unknown) => typeof each === "object" && each !== null && (MESHED in each || isA(each, original)),
  });
  return replaced as unknown as GrpcModule["Channel"];
}

function isA(value: object, { prototype }: { readonly prototype: object }): boolean {
  return Object.prototype.isPrototypeOf.call(prototype, value);
}
