/** A plugin for Fastify 5. Imports nothing of it: what it needs of an instance is written down here. */

import {
  type AnyServer,
  attachServer,
  type Enter,
  noteFastifyRoute,
  type RoutedRequest,
  type ServerHooks,
} from "../server/index.js";

/** What the plugin needs of a Fastify instance, whatever its server and its types are. */
export interface FastifyHost {
  readonly server: AnyServer;
  addHook(name: "onRequest", hook: FastifyHook): unknown;
}

type FastifyHook = (request: RoutedRequest, reply: { readonly raw: object }, done: () => void) => void;

export type MeshPlugin = (instance: FastifyHost, options: unknown, done: () => void) => void;

/**
 * `app.register(plugin)`, before the routes. The port is advertised as soon as the application listens; the hook is for
 * servers that Fastify opens beside the first, as it does for `localhost`.
 *
 * @param hooks undefined: the mesh is off and the plugin does nothing
 */
export function meshPlugin(enter: Enter, hooks: ServerHooks | undefined): MeshPlugin {
  const plugin: MeshPlugin = (instance, _, done) => {
    if (hooks !== undefined) {
      attachServer(instance.server, hooks);
      instance.addHook("onRequest", (request, reply, next) => {
        noteFastifyRoute(request);
        enter(request.raw, reply.raw, next);
      });
    }
    done();
  };
  return Object.assign(plugin, {
    // For the whole application, not only for plugins registered inside this one.
    [Symbol.for("skip-override")]: true,
    [Symbol.for("fastify.display-name")]: "@inmesh/http/fastify",
  });
}
