/** For tests: a source on a scripted Consul, and on a clock that follows real time and can be sent ahead of it. */

import { type RegistryView, seededRandom } from "@inmesh/core";
import { FakeClock } from "@inmesh/core/testing";
import { parseDocuments } from "@inmesh/model";
import { ConsulClient } from "../client/consul-client.js";
import { parseConsulUrl } from "../client/consul-url.js";
import { type ScriptedConsul, until } from "../scripted-consul.test.helper.js";
import { ConsulSource, type ConsulSourceOptions } from "./consul-source.js";

export function openSource(
  consul: ScriptedConsul,
  { query = "entries=false", ...options }: Partial<ConsulSourceOptions> & { readonly query?: string } = {},
) {
  const clock = new FakeClock();
  const client = new ConsulClient(parseConsulUrl(`${consul.url.replace("://", "://s3cret@")}?${query}`, {}));
  const source = new ConsulSource({ client, clock, random: seededRandom(5), parse: parseDocuments, ...options });
  const views: RegistryView[] = [];
  let at = performance.now();
  const passing = (holds: () => boolean): Promise<void> =>
    until(
      () => {
        const now = performance.now();
        clock.advance(now - at);
        at = now;
        return holds();
      },
      `${holds}; the last view was ${JSON.stringify(views.at(-1))}, the status ${JSON.stringify(source.status)}`,
    );
  return {
    ...{ source, clock, views, passing },
    watch: () => source.watch((view) => views.push(view)),
    use: (service: string) => source.use({ namespace: "default", service }),
    last: () => views.at(-1),
    /** A while in which a view would come that is on its way. */
    rest: async (): Promise<void> => {
      const end = performance.now() + 60;
      await passing(() => performance.now() > end);
    },
    close: async (): Promise<void> => {
      await source.close();
      client.close();
      await until(() => clock.pending === 0);
    },
  };
}
