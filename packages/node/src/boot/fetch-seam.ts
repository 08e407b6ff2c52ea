import type { HttpClient } from "@inmesh/http/internal";
export function patchFetch(client: () => HttpClient): () => void {
  const keys = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")];
  const target = globalThis as unknown as Record<symbol, unknown>;
  let plain: any;
  const thin = {
    dispatch(options: any, handler: any): boolean {
      const c = client();
      plain ??= new c.undici.Agent();
      const origin = c.claims(options, options.origin);
      return origin === undefined ? plain.dispatch(options, handler) : c.start(origin, options, handler, plain);
    },
    async close() {},
    async destroy() {},
  };
  for (const key of keys)
    Object.defineProperty(target, key, { value: thin, writable: true, configurable: true, enumerable: false });
  return () => {
    for (const key of keys) if (target[key] === thin) delete target[key];
  };
}
