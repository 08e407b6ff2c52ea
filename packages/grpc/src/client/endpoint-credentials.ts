/**
 * Credentials of the channel to one endpoint: whether TLS is spoken there, and as whom, is the cluster's policy, carried out
 * by the same dialler as for HTTP, unless the application brings TLS of its own. They see the sockets, too, which tell where
 * a channel leads.
 */

import type { Socket } from "node:net";
import type { EndpointDials, SecuredDial } from "@inmesh/core/internal";
import type { CallCredentials, ChannelCredentials } from "../grpc-js.js";
import type { GrpcModule } from "./grpc-module.js";

/** Hears of each connection. */
export interface ConnectionWatch {
  connected(socket: Socket): void;
  failed(error: unknown): void;
}

/** grpc-js's `SecureConnector`, and what it is asked with: its types export both in part only. */
type Connector = ReturnType<ChannelCredentials["_createSecureConnector"]>;
type Asked = Parameters<ChannelCredentials["_createSecureConnector"]>;

/** Makes the connectors of one endpoint's channel. */
export type Connectors = (options: Asked[1], ofCalls: CallCredentials | undefined) => Connector;

/** By policy. @param dial undefined: plaintext */
export function policyConnectors(grpc: GrpcModule, dial: SecuredDial | undefined): Connectors {
  return (_, ofCalls) => ({
    async connect(raw) {
      if (dial === undefined) return { socket: raw, secure: false };
      // Between members of the mesh TLS is the mesh's own: `:scheme` says what it would say without.
      return { socket: await dial.secure(raw), secure: !dial.isMesh };
    },
    waitForReady: () => Promise.resolve(),
    getCallCredentials: () => ofCalls ?? grpc.credentials.createEmpty(),
    destroy() {},
  });
}

/** The application's own, for the server that it asked for: the endpoint is one of its instances. */
export function ownConnectors(credentials: ChannelCredentials, authority: string): Connectors {
  return (options, ofCalls) =>
    credentials._createSecureConnector({ scheme: "dns", path: authority }, options, ofCalls as CallCredentials);
}

export function endpointCredentials(
  { ChannelCredentials: Base }: GrpcModule,
  connectors: Connectors,
  dials: EndpointDials,
  watch: ConnectionWatch,
): ChannelCredentials {
  class EndpointCredentials extends (Base as unknown as new () => ChannelCredentials) {
    override _isSecure(): boolean {
      return false; // asked by nobody who sends: calls bring their credentials wherever the mesh leads them
    }

    override _equals(other: ChannelCredentials): boolean {
      return other === this;
    }

    override _createSecureConnector(_: Asked[0], options: Asked[1], ofCalls?: CallCredentials): Connector {
      const inner = connectors(options, ofCalls);
      return {
        async connect(raw) {
          dials.watch(raw);
          try {
            const result = await inner.connect(raw);
            watch.connected(result.socket);
            return result;
          } catch (error) {
            watch.failed(error);
            throw error;
          }
        },
        waitForReady: () => inner.waitForReady(),
        getCallCredentials: () => inner.getCallCredentials(),
        destroy: () => inner.destroy(),
      };
    }
  }
  return new EndpointCredentials();
}
