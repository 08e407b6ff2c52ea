/**
 * The traffic that every tour of Istio shows, in the bookshop: reviews in three versions, split by weight and by user, then
 * a fault for one user alone. Run by `npm start -- --story istio`. The documents in istio/ are plain Istio documents.
 */

import { versionsOf } from "./figures.js";
import { CALM, demand, demandNoFailure, demandShare, openShop, percent } from "./shop.js";

/** Everything is over by then, in ms; what takes longer is a fault. */
const DEADLINE_MS = 75_000;
const REPLICAS = { details: 1, ratings: 1, stock: 1, "reviews@v1": 1, "reviews@v2": 1, "reviews@v3": 1, web: 1 };
const TRAFFIC = { ...CALM, perSecond: 200 };
/** Enough pages for a share to show. */
const PHASE_MS = 2_200;
/** Share of pages that may be late on a busy machine without anybody's wish. */
const CHANCE = 0.05;
/** In istio/6-delay.yaml. */
const DELAY_MS = 1_000;

/** @param {import("inmesh").ScriptSession} session */
export default async function story(session) {
  session.deadline(DEADLINE_MS);
  session.step("The bookshop, with reviews in three versions: no stars, black stars, red stars");
  const { lines, figures, phase, measured, close } = await openShop(session, REPLICAS);
  await session.apply("istio/destinations.yaml");
  await phase("warm-up", CALM, 1_000);

  session.step("1/7  Everybody sees v1");
  await session.apply("istio/1-all-v1.yaml");
  const all = await phase("all v1", TRAFFIC, PHASE_MS);
  measured(`all v1: ${percent(all.v1Share)} of ${all.gets} pages.`);
  demand(all.v1Share === 1, "somebody saw another version");
  demandNoFailure(all, "all v1");

  const split = async (step, file, name, version, share) => {
    session.step(step);
    await session.apply(`istio/${file}`);
    const counted = await phase(name, TRAFFIC, PHASE_MS);
    const seen = versionsOf(lines(), name, () => true);
    const pages = Object.values(seen).reduce((sum, each) => sum + each, 0);
    const found = (seen[version] ?? 0) / pages;
    figures[name] = { ...counted, seen };
    measured(`${name}: ${version} on ${percent(found)} of ${pages} pages; ${counted.failedGets} failed.`);
    demandShare(found, share, pages, name);
    demandNoFailure(counted, name);
  };
  await split("2/7  90 % v1, 10 % v2", "2-90-10.yaml", "90/10", "v2", 0.1);
  await split("3/7  80 % v1, 20 % v2", "3-80-20.yaml", "80/20", "v2", 0.2);
  await split("4/7  Half of the pages by v3", "4-50-v3.yaml", "50 v3", "v3", 0.5);

  session.step("5/7  By user: maria v2, shopper1 v3, everybody else v1");
  await session.apply("istio/5-by-user.yaml");
  const byUser = await phase("by user", TRAFFIC, PHASE_MS);
  const seenBy = (isUser) => Object.keys(versionsOf(lines(), "by user", isUser)).join(", ");
  const seen = {
    maria: seenBy((user) => user === "maria"),
    shopper1: seenBy((user) => user === "shopper1"),
    others: seenBy((user) => user !== "maria" && user !== "shopper1"),
  };
  figures["by user"] = { ...byUser, seen };
  measured(`by user: maria sees ${seen.maria}, shopper1 ${seen.shopper1}, the others ${seen.others}.`);
  demand(seen.maria === "v2" && seen.shopper1 === "v3" && seen.others === "v1", "somebody saw the wrong version");
  demandNoFailure(byUser, "by user");

  /** Pages of one phase, hers and the others'. */
  const pagesOf = (name) => {
    const pages = lines().filter((line) => line.phase === name && line.method === "GET");
    return [pages.filter(({ user }) => user === "maria"), pages.filter(({ user }) => user !== "maria")];
  };

  session.step(`6/7  Ratings answer maria ${DELAY_MS / 1_000} s late, and nobody else`);
  await session.apply("istio/6-delay.yaml");
  const delay = await phase("delay", TRAFFIC, PHASE_MS);
  const [slow, quick] = pagesOf("delay");
  const slowest = Math.min(...slow.map(({ ms }) => ms));
  const late = quick.filter(({ ms }) => ms >= DELAY_MS).length;
  figures.delay = { ...delay, hers: slow.length, herFastestMs: slowest, othersLate: late };
  measured(
    `delay: her ${slow.length} pages took ${Math.round(slowest)} ms and more; ${late} of the others' took as long.`,
  );
  demand(slow.length > 0 && slowest >= DELAY_MS, "one of her pages was too fast");
  demand(late <= quick.length * CHANCE, "others waited, too");
  demandNoFailure(delay, "delay");

  session.step("7/7  Ratings answer maria with 500, and nobody else");
  await session.apply("istio/7-abort.yaml");
  const abort = await phase("abort", TRAFFIC, PHASE_MS);
  const [hers, theirs] = pagesOf("abort");
  const failed = (pages) => pages.filter(({ status }) => status >= 400).length;
  figures.abort = { ...abort, hers: hers.length, hersFailed: failed(hers), othersFailed: failed(theirs) };
  measured(`abort: ${failed(hers)} of her ${hers.length} pages failed, ${failed(theirs)} of the others'.`);
  demand(hers.length > 0 && failed(hers) === hers.length, "one of her pages was served");
  demand(failed(theirs) === 0, "others were hit, too");

  return close();
}
