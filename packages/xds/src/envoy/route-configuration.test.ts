import { expect, it } from "vitest";
import { ByteShelf } from "../client/cache/byte-shelf.js";
import { type RouteConfiguration, routeConfigurationType } from "./route-configuration.js";
import { routes } from "./written.test.helper.js";

it("takes over the hosts of the table before whose bytes are the same, wherever they stand, and compiles what they were", () => {
  const type = routeConfigurationType("envoy");
  const shelf = new ByteShelf();
  let before: RouteConfiguration | undefined;
  const told = (clusters: Readonly<Record<string, string>>): RouteConfiguration => {
    const sent = shelf.keep(routes("80", clusters), undefined);
    before = type.decode(sent.read(), "80", { sent, before });
    return before;
  };
  const host = (table: RouteConfiguration, name: string) => table.hosts.find((each) => each.name === name);
  const leadsTo = (table: RouteConfiguration, name: string) =>
    table
      .find(name)
      ?.host.compile(80, undefined, 0)
      .routes.flatMap(({ action }) => (action.kind === "forward" ? action.destinations.map((to) => to.cluster) : []));

  const first = told({ a: "to-a", b: "to-b" });
  const second = told({ b: "to-another", longer: "first", a: "to-a" });
  const third = told({ more: "of-them", b: "to-another", a: "to-a" });
  expect(host(second, "a")).toBe(host(first, "a"));
  expect(host(third, "a")).toBe(host(first, "a"));
  expect([host(second, "b") === host(first, "b"), host(third, "b") === host(second, "b")]).toEqual([false, true]);
  expect(["more", "b", "a"].map((name) => leadsTo(third, name))).toEqual([["of-them"], ["to-another"], ["to-a"]]);
  expect(type.same?.(second, told({ a: "to-a", longer: "first", b: "to-another" }))).toBe(false); // `longer` was gone between
});
