/** An HTTPS server that tells what it was asked as, and what reached it in plaintext. */

import { createServer, type Server, type ServerOptions } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Issued } from "./certificates.js";

export interface SeenRequest {
  readonly host: string;
  readonly path: string;
  readonly serverName: string | false;
  readonly alpn: string | false;
  /** The handshake was shortened by a session ticket. */
  readonly resumed: boolean;
  /** Of the client's certificate: `URI:spiffe://…`; empty where it showed none. */
  readonly peer: string;
}

export interface TlsTestServer extends AsyncDisposable {
  readonly port: number;
  readonly server: Server;
  readonly seen: readonly SeenRequest[];
  /** Open now. */
  readonly sockets: ReadonlySet<Socket>;
  /** Connections accepted so far. */
  readonly accepted: () => number;
  /** Connections on which OpenSSL was sent HTTP in plaintext. */
  readonly plaintext: () => number;
}

/** @param options of Node's server: `requestCert`, `ca`, … */
export async function listenTls(
  { cert, key }: Pick<Issued, "cert" | "key">,
  options: ServerOptions = {},
): Promise<TlsTestServer> {
  const seen: SeenRequest[] = [];
  let accepted = 0;
  let plaintext = 0;
  const asked = { cert, key, ALPNProtocols: ["h2", "http/1.1"], ...options };
  const server = createServer(asked, (request, response) => {
    const socket = request.socket as TLSSocket & { readonly servername: string | false };
    const { servername: serverName, alpnProtocol: alpn } = socket;
    const { url: path = "", headers } = request;
    const peer = socket.getPeerX509Certificate()?.subjectAltName ?? "";
    const resumed = socket.isSessionReused();
    seen.push({ host: headers.host ?? "", path, serverName, alpn: alpn ?? false, resumed, peer });
    if (path === "/close") response.setHeader("connection", "close");
    request.resume();
    response.end("secure");
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  server.on("tlsClientError", (error: NodeJS.ErrnoException) => {
    if (error.code === "ERR_SSL_HTTP_REQUEST") plaintext += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    server,
    seen,
    sockets,
    accepted: () => accepted,
    plaintext: () => plaintext,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
