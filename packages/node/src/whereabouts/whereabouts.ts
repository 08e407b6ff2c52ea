/**
 * Where this process is: the address under which others reach it, and its locality. What a setting says counts; a platform
 * is asked when a setting names one; else the address is found (`found-address.ts`).
 */

import { networkInterfaces } from "node:os";
import { type Clock, messageOf, sleep, type Timer } from "@inmesh/core";
import type { Listener } from "@inmesh/http/server";
import type { Locality } from "@inmesh/model";
import type { MeshSettings } from "../settings/resolve-settings.js";
import { type FoundAddress, foundAddress, isLoopback, type Surroundings } from "./found-address.js";
import { isPlatformName, METADATA_HOSTS } from "./platform/platform-name.js";
import type { lookAround, SharedServer } from "./surroundings.js";

export interface WhereaboutsOptions {
  readonly settings: Pick<MeshSettings, "address" | "locality">;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  /** The address is known now, or another than before. */
  readonly onChange: () => void;
  /** Told once per trouble. */
  readonly onWarning: (message: string) => void;
  /** @default asks the system and the server */
  readonly look?: typeof lookAround;
}

/** A metadata service may start later than the process. */
const TRIES = 3;
const PAUSE_MS = 300;
/** Nobody waits longer for an address; it is asked for again until it is known. */
const PATIENCE_MS = 2_000;
const AGAIN_MS = 5_000;

export class Whereabouts {
  /** Undefined: nobody said, or the platform that was asked did not. */
  locality: Locality | undefined;
  readonly #options: WhereaboutsOptions;
  /** What the platform answered. */
  #address: string | undefined;
  #server: SharedServer | undefined;
  #surroundings: Surroundings | undefined;
  #timer: Timer | undefined;
  #closed = false;
  readonly #warned = new Set<string>();

  constructor(options: WhereaboutsOptions) {
    this.#options = options;
  }

  /** Where a platform is asked, as option `exclude` takes it; none unless a setting names one. */
  get excluded(): readonly string[] {
    const { address, locality } = this.#options.settings;
    return isPlatformName(address) || isPlatformName(locality) ? METADATA_HOSTS : [];
  }

  /** Undefined while the platform that should say it does not: a made-up one would lead callers astray. */
  address(listeners: readonly Listener[]): FoundAddress | undefined {
    const { address: given } = this.#options.settings;
    if (isPlatformName(given)) {
      return this.#address === undefined ? undefined : { address: this.#address, why: `${given} says so` };
    }
    if (given !== undefined) return { address: given, why: "it was set" };
    if (this.#server === undefined) return foundAddress(listeners, undefined);
    const surroundings = this.#surroundings ?? { interfaces: networkInterfaces() };
    this.#warnOfLoopback(listeners, surroundings);
    return foundAddress(listeners, surroundings);
  }

  /** Resolves when it is known, or cannot be known soon. */
  async learnLocality(): Promise<void> {
    const { settings, clock, onWarning } = this.#options;
    const { locality } = settings;
    if (!isPlatformName(locality)) {
      if (locality !== undefined) this.locality = localityOf(locality);
      return;
    }
    for (let tries = 1; ; tries++) {
      try {
        const { platformLocality } = await import("./platform/platform.js");
        this.locality = await platformLocality(locality, this.#options);
        return;
      } catch (error) {
        const message = `locality is ${locality}, and ${messageOf(error)}. Calls do not prefer what is near, and others do not know where this process is`;
        if (tries === TRIES) return onWarning(message);
        await sleep(clock, PAUSE_MS);
      }
    }
  }

  /**
   * Resolves when it is known, or was asked for long enough; `onChange` tells of what becomes known later.
   * @param server of the registry; undefined where callers are on this machine
   */
  async learnAddress(server: SharedServer | undefined): Promise<void> {
    this.#server = server;
    const patience = new AbortController();
    const waited = sleep(this.#options.clock, PATIENCE_MS, patience.signal).catch(() => {}); // of the abort only
    let late = false;
    await Promise.race([this.#learn(() => late), waited]);
    late = true;
    patience.abort();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** @param late whether nobody waits any more */
  async #learn(late: () => boolean): Promise<void> {
    const { settings, clock, onChange } = this.#options;
    const { address } = settings;
    let again = false;
    try {
      if (isPlatformName(address)) {
        const { platformAddress } = await import("./platform/platform.js");
        this.#address = await platformAddress(address, this.#options);
      } else {
        if (address !== undefined || this.#server === undefined) return;
        const look = this.#options.look ?? (await import("./surroundings.js")).lookAround;
        const { surroundings, incomplete } = await look(this.#server);
        this.#surroundings = surroundings;
        again = incomplete;
      }
    } catch (error) {
      again = true;
      this.#warn(
        `this process is not registered, so others do not find it: address is ${address}, and ${messageOf(error)}. It is asked again until it answers`,
      );
    }
    if (this.#closed) return;
    if (again) this.#timer = clock.after(AGAIN_MS, () => void this.#learn(() => true));
    else if (late()) onChange();
  }

  #warnOfLoopback([first]: readonly Listener[], { agent, towards }: Surroundings): void {
    const shared = towards !== undefined || (agent !== undefined && !isLoopback(agent));
    if (first === undefined || !shared || !isLoopback(first.address)) return;
    this.#warn(
      `others are told to call ${first.address}:${first.port}, where no process on another machine reaches this one: bind the server to 0.0.0.0 or ::, or set INMESH_ADDRESS`,
    );
  }

  #warn(message: string): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#options.onWarning(message);
  }
}

function localityOf(text: string): Locality {
  const [region = "", zone = "", subZone = ""] = text.split("/");
  return { region, zone, subZone };
}
