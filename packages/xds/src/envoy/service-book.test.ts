import { expect, it } from "vitest";
import type { DiscoveredCluster } from "./cluster.js";
import { ServiceBook } from "./service-book.js";

/** As istiod names them: `outbound|port|subset|host`. */
function cluster(name: string, protocol = "http"): DiscoveredCluster {
  const [, port = "", subset = "", host = ""] = name.split("|");
  const [service = "", namespace = ""] = host.split(".");
  const one = { name, host, subset, port: Number(port), protocol, kind: "eds", resolution: "static" };
  return { ...one, service: { name: service, namespace, external: false } } as DiscoveredCluster;
}

const REVIEWS = "outbound|80||reviews.shop.svc.cluster.local";
const REVIEWS_V2 = "outbound|80|v2|reviews.shop.svc.cluster.local";
const RATINGS = "outbound|80||ratings.shop.svc.cluster.local";
const HOSTS = { reviews: "reviews.shop.svc.cluster.local", ratings: "ratings.shop.svc.cluster.local" };

const told = (...clusters: DiscoveredCluster[]) => new Map(clusters.map((each) => [each.name, each]));

it("makes the services of other clusters only, and keeps the rest as they are", () => {
  const [reviews, ratings] = [cluster(REVIEWS), cluster(RATINGS)];
  const before = new ServiceBook(told(reviews, ratings));
  const after = new ServiceBook(told(cluster(REVIEWS, "grpc"), ratings), before);
  expect(after.byHost.get(HOSTS.reviews)).toMatchObject({ ports: [{ number: 80, protocol: "grpc" }] });
  expect(before.byHost.get(HOSTS.reviews)).toMatchObject({ ports: [{ number: 80, protocol: "http" }] });
  expect(after.byHost.get(HOSTS.ratings)).toBe(before.byHost.get(HOSTS.ratings));
});

it("is the same map where clusters changed and no service did", () => {
  const before = new ServiceBook(told(cluster(REVIEWS), cluster(RATINGS)));
  const after = new ServiceBook(told(cluster(REVIEWS), cluster(REVIEWS_V2), cluster(RATINGS)), before);
  expect(after.byHost).toBe(before.byHost);
});

it("forgets a service with the last of its clusters, and knows one that comes", () => {
  const [reviews, subset, ratings] = [cluster(REVIEWS), cluster(REVIEWS_V2), cluster(RATINGS)];
  const both = new ServiceBook(told(reviews, subset));
  const one = new ServiceBook(told(subset, ratings), both);
  expect([...one.byHost.keys()]).toEqual([HOSTS.reviews, HOSTS.ratings]);
  const none = new ServiceBook(told(ratings), one);
  expect([...none.byHost.keys()]).toEqual([HOSTS.ratings]);
});

it("follows a cluster that is another host's under the same name", () => {
  const moved = { ...cluster(REVIEWS), host: "elsewhere.test" } as DiscoveredCluster;
  const before = new ServiceBook(told(cluster(REVIEWS), cluster(RATINGS)));
  const after = new ServiceBook(told(moved, cluster(RATINGS)), before);
  expect([...after.byHost.keys()].sort()).toEqual(["elsewhere.test", HOSTS.ratings]);
});

it("makes a service when it is first asked for, and keeps it for the books to come", () => {
  const [reviews, subset, ratings] = [cluster(REVIEWS), cluster(REVIEWS_V2), cluster(RATINGS)];
  let asked = 0;
  const watched = {
    ...reviews,
    get protocol() {
      asked += 1;
      return "http" as const;
    },
  } as DiscoveredCluster;
  const first = new ServiceBook(told(watched));
  expect([first.byHost.size, first.byHost.has(HOSTS.reviews), [...first.byHost.keys()], asked]).toEqual([
    ...[1, true, [HOSTS.reviews]],
    0,
  ]);
  const made = first.byHost.get(HOSTS.reviews);
  expect([made?.host, asked]).toEqual([HOSTS.reviews, 1]);
  const second = new ServiceBook(told(watched, ratings), first);
  const third = new ServiceBook(told(watched, subset, ratings), second);
  for (const { byHost } of [first, second, third]) expect(byHost.get(HOSTS.reviews)).toBe(made);
});

it("is a map like any other", () => {
  const { byHost } = new ServiceBook(told(cluster(REVIEWS), cluster(RATINGS)));
  const all = [HOSTS.reviews, HOSTS.ratings].map((host) => [host, byHost.get(host)]);
  expect([...byHost]).toEqual(all);
  expect([...byHost.entries()]).toEqual(all);
  expect([...byHost.values()]).toEqual(all.map(([, service]) => service));
  const visited: unknown[] = [];
  byHost.forEach((service, host) => {
    visited.push([host, service]);
  });
  expect(visited).toEqual(all);
  expect([byHost.get("elsewhere.test"), byHost.has("elsewhere.test"), byHost.size]).toEqual([undefined, false, 2]);
});
