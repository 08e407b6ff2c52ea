/** What listens for operators beside the application: the admin endpoint, and client status discovery where it is on. */

import { messageOf } from "@inmesh/core";
import type { DataPlane } from "./data-plane.js";

interface Open {
  close(): Promise<void>;
}

export class OperatorPorts {
  readonly #plane: DataPlane;
  #admin: (Open & { readonly url: string }) | undefined;
  #clientStatus: (Open & { readonly address: string }) | undefined;

  constructor(plane: DataPlane) {
    this.#plane = plane;
  }

  get adminUrl(): string | undefined {
    return this.#admin?.url;
  }

  /** `host:port`; undefined: it is off. */
  get clientStatusAddress(): string | undefined {
    return this.#clientStatus?.address;
  }

  /** Never rejects: a process that cannot be looked into serves all the same. */
  async open(): Promise<void> {
    const { settings, events } = this.#plane;
    await this.#attempt("client status discovery", settings.csds, async (at) => {
      const { openClientStatus } = await import("../admin/client-status-server.js");
      this.#clientStatus = await openClientStatus(this.#plane, at);
      events.add("admin", `client status discovery at ${this.#clientStatus.address}`);
    });
    await this.#attempt("admin endpoint", settings.admin, async () => {
      const { openAdmin } = await import("../admin/admin-server.js");
      this.#admin = await openAdmin(this.#plane);
      events.add("admin", `admin endpoint at ${this.#admin.url}`);
    });
  }

  async close(): Promise<void> {
    await this.#admin?.close();
    await this.#clientStatus?.close();
  }

  async #attempt<At>(what: string, at: At | "off", open: (at: At) => Promise<void>): Promise<void> {
    if (at === "off") return;
    try {
      await open(at as At); // "off" has gone
    } catch (error) {
      this.#plane.log.scope("admin").warn(`no ${what} at ${at}: ${messageOf(error)}`);
    }
  }
}
