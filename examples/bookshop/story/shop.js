/**
 * What every story of the bookshop needs: its processes, shoppers, phases of traffic, and demands on what was measured.
 *
 * Figures come from the raw log of the load generator alone (figures.js counts it), so they can be counted again; the
 * end-to-end tests do.
 */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { countPhase, readLog } from "./figures.js";

/** Requests per second, and the share of orders (POST) among them: gentle. */
export const CALM = { perSecond: 120, postShare: 0.1 };
/** A share may be off by chance: 4.5 standard deviations, and at least this much. */
const MIN_TOLERANCE = 0.02;

export const percent = (share) => `${(share * 100).toFixed(1)} %`;

/** Throws when it does not hold: the session then ends with exit code 1. */
export function demand(holds, text) {
  if (!holds) throw new Error(text);
}

/** @param {number} of how many were drawn @param {string} what for the message */
export function demandShare(found, expected, of, what) {
  const tolerance = Math.max(MIN_TOLERANCE, 4.5 * Math.sqrt((expected * (1 - expected)) / of));
  const off = Math.abs(found - expected);
  demand(off <= tolerance, `${what}: ${percent(found)} instead of ${percent(expected)} ± ${percent(tolerance)}`);
}

export function demandNoFailure({ failedGets, failedPosts }, what) {
  demand(failedGets + failedPosts === 0, `${what}: ${failedGets + failedPosts} failed`);
}

/**
 * Applies the shop's policy, starts its processes and the shoppers.
 * @param {import("inmesh").ScriptSession} session
 * @param {Readonly<Record<string, number>>} replicas how many of each, `reviews@v1` for one version
 */
export async function openShop(session, replicas) {
  const log = join(session.data, "requests.ndjson");
  const journal = join(session.data, "journal");
  mkdirSync(journal);
  const told = [];
  const figures = {};
  const env = { PORT: "0", BOOKSHOP_JOURNAL: journal };

  /** @param {string} name `reviews@v1` or `web` */
  const start = (name) => {
    const [service, version] = name.split("@");
    return session.start({
      service,
      ...(version && { version }),
      command: ["node", `../services/${service}.js`],
      env: { ...env, ...(version && { REVIEWS_VERSION: version }) },
    });
  };

  session.say("None of them knows inmesh. They call each other by name: http://reviews/, http://stock/ …");
  await session.apply("../mesh");
  const names = Object.entries(replicas).flatMap(([name, count]) => Array(count).fill(name));
  await Promise.all(names.map(start));
  const load = await session.start({
    service: "load",
    command: ["node", "../load/load.js"],
    env: { ...env, BOOKSHOP_LOG: log },
  });
  session.say(`Every request goes into ${log}`);

  /** Tells the load generator something. */
  const tell = async (path, body) => {
    const response = await fetch(`${load.url}${path}`, {
      method: "POST",
      body: JSON.stringify(body),
      signal: session.signal,
    });
    if (!response.ok) throw new Error(`the load generator refused ${path}: ${await response.text()}`);
    return response.json();
  };
  const begin = (name, traffic) => tell("/phase", { name, ...traffic });

  return {
    log,
    told,
    figures,
    start,
    tell,
    lines: () => readLog(log),
    /** Runs one kind of traffic for a while, and counts it when its last request has ended. */
    async phase(name, traffic, ms, during = async () => {}) {
      await begin(name, traffic);
      await Promise.all([session.sleep(ms), during()]);
      await begin(`after ${name}`, { ...CALM, perSecond: 50 });
      figures[name] = countPhase(readLog(log), name);
      if (figures[name].requests === 0) throw new Error(`no request was sent in "${name}"`);
      return figures[name];
    },
    measured(text) {
      told.push(text);
      session.say(text);
    },
    /** Writes the figures beside the log. @returns {string[]} the last lines of the story @param {string[]} extra */
    close(extra = []) {
      const all = readLog(log).filter(({ id, phase }) => id !== undefined && figures[phase] !== undefined);
      figures.total = { requests: all.length, doublePosts: all.filter(({ executed }) => executed > 1).length };
      const summary = join(session.data, "summary.json");
      writeFileSync(summary, `${JSON.stringify(figures, null, 2)}\n`);
      return [
        "",
        `The bookshop: ${all.length} requests in all steps, ${figures.total.doublePosts} orders carried out twice.`,
        ...extra,
        ...told.map((text) => `  ${text}`),
        `Raw log: ${log}`,
        `Figures: ${summary}`,
      ];
    },
  };
}
