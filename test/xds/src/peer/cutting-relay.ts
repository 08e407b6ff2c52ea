/** A TCP relay that cuts connections after so many bytes from the server. */

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";

export class CuttingRelay implements AsyncDisposable {
  /** Connections that were cut so far. */
  cuts = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #limits: number[] = [];

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(target: string): Promise<CuttingRelay> {
    const [host, port] = target.split(":");
    const server = createServer();
    const relay = new CuttingRelay(server);
    server.on("connection", (socket) => relay.#join(socket, connect(Number(port), host)));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return relay;
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The next connections end after so many bytes of the server, one after the other; later ones do not. */
  cutAfter(...bytes: number[]): void {
    this.#limits = bytes;
  }

  #join(client: Socket, server: Socket): void {
    let left = this.#limits.shift() ?? Number.POSITIVE_INFINITY;
    const pair = [client, server];
    for (const socket of pair) {
      this.#sockets.add(socket);
      socket.on("error", () => {}); // the other side is told by its close
      socket.on("close", () => {
        this.#sockets.delete(socket);
        for (const each of pair) each.destroy();
      });
    }
    client.on("data", (bytes) => server.write(bytes));
    server.on("data", (bytes) => {
      if (left <= 0) return; // on its way when the cut was made
      client.write(bytes.subarray(0, Math.min(bytes.length, left)));
      left -= bytes.length;
      if (left > 0) return;
      this.cuts += 1;
      client.end();
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
  }
}
