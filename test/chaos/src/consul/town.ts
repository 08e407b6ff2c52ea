/** Three servers, the agent of one machine, and a relay before each that counts what it is asked. */

import { ConsulRegistry } from "@inmesh/consul";
import { parseDocuments } from "@inmesh/model";
import {
  type ConsulBinary,
  type ConsulProcess,
  Relay,
  type Servers,
  startClientAgent,
  startServers,
} from "@inmesh-test/consul/peer";

export interface Post {
  readonly consul: ConsulProcess;
  readonly relay: Relay;
  /** INMESH_CONFIG of who is to ask here. */
  readonly config: string;
}

export interface Town extends AsyncDisposable {
  readonly servers: Servers;
  readonly agent: Post;
  /** In the order of `servers`. */
  readonly posts: readonly Post[];
  apply(policy: string): Promise<void>;
}

/** @param namespace at home there */
export async function buildTown(binary: ConsulBinary, namespace: string): Promise<Town> {
  const built: AsyncDisposable[] = [];
  const keep = <Part extends AsyncDisposable>(part: Part): Part => {
    built.unshift(part);
    return part;
  };
  const end = async (): Promise<void> => {
    for (const part of built) await part[Symbol.asyncDispose]();
  };
  const post = async (consul: ConsulProcess): Promise<Post> => {
    const relay = keep(await Relay.start(consul.port));
    return { consul, relay, config: `consul://127.0.0.1:${relay.port}?namespace=${namespace}` };
  };
  try {
    const servers = keep(await startServers(binary, 3));
    const agent = await post(keep(await startClientAgent(binary, servers)));
    const posts = await Promise.all(servers.servers.map(post));
    const target = { host: "127.0.0.1", port: agent.consul.port, secure: false, prefix: "inmesh", namespace };
    const registry = new ConsulRegistry({ target, parse: parseDocuments });
    keep({ [Symbol.asyncDispose]: () => registry.close() });
    return {
      ...{ servers, agent, posts, [Symbol.asyncDispose]: end },
      async apply(policy) {
        await registry.store.apply(parseDocuments(policy, { file: "policy.yaml", namespace }).documents);
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}
