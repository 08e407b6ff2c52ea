/** Lets those who see a server of node:http2 know which methods the Server of grpc-js has that made it, and whose spans they make. */

/** On the server of node:http2. Holds for every copy of these packages. */
const METHODS: unique symbol = Symbol.for("@inmesh/grpc-methods@1");
const TRACED: unique symbol = Symbol.for("@inmesh/grpc-traced@1");
const TELLS: unique symbol = Symbol.for("@inmesh/grpc-tells@1");

interface GrpcServer {
  /** By path: private in its types. */
  readonly handlers?: ReadonlyMap<string, { readonly func?: { readonly __wrapped?: boolean } }>;
}

/** @param made what it made */
export function tellMethods(made: object, server: GrpcServer): void {
  Object.defineProperty(made, METHODS, { value: () => server.handlers?.keys() ?? [], configurable: true });
  // OpenTelemetry's instrumentation of gRPC wraps each handler, and shimmer leaves its mark.
  const traced = (path: string): boolean => server.handlers?.get(path)?.func?.__wrapped === true;
  Object.defineProperty(made, TRACED, { value: traced, configurable: true });
}

interface ServerFile {
  readonly Server?: { readonly prototype: object };
}

interface MakesHttp2Servers extends GrpcServer {
  createHttp2Server?(...args: unknown[]): object;
}

/** Every Server of one copy of grpc-js. @param exports of the file that defines the class. @returns undoes it */
export function tellMethodsOfAll(exports: unknown): () => void {
  const prototype = (exports as ServerFile | undefined)?.Server?.prototype as MakesHttp2Servers | undefined;
  const create = prototype?.createHttp2Server;
  if (prototype === undefined || create === undefined || TELLS in create) return () => {};
  const telling = function (this: MakesHttp2Servers, ...args: unknown[]): object {
    const made = create.apply(this, args);
    tellMethods(made, this);
    return made;
  };
  Object.defineProperty(telling, TELLS, { value: true });
  prototype.createHttp2Server = telling;
  return () => {
    if (prototype.createHttp2Server === telling) prototype.createHttp2Server = create;
  };
}
