/**
 * Counts a phase of the raw log (one JSON object per line). Every number the story shows comes from here, so anyone can
 * count it again from the file.
 */

import { readFileSync } from "node:fs";

/** @returns {object[]} every complete line of the log */
export function readLog(file) {
  const text = readFileSync(file, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));
}

/** @param {object[]} lines of readLog @param {string} phase */
export function countPhase(lines, phase) {
  const requests = lines.filter((line) => line.phase === phase && line.id !== undefined);
  const gets = requests.filter(({ method }) => method === "GET");
  const posts = requests.filter(({ method }) => method === "POST");
  const served = gets.filter(({ version }) => version !== "");
  const asked = gets.filter(({ attempts }) => attempts.reviews > 0);
  return {
    requests: requests.length,
    skipped: lines.filter((line) => line.phase === phase && line.skipped).length,
    gets: gets.length,
    posts: posts.length,
    failedGets: gets.filter(failed).length,
    failedPosts: posts.filter(failed).length,
    /** Failed orders whose connection broke before the answer: nobody outside can know whether they were carried out. */
    unknownPosts: posts.filter((line) => failed(line) && line.error.startsWith("UPSTREAM_RESET: ")).length,
    /** … and the journals tell that they were. */
    unknownExecuted: posts.filter((line) => failed(line) && line.executed > 0).length,
    doublePosts: posts.filter(({ executed }) => executed > 1).length,
    executedPosts: posts.filter(({ executed }) => executed > 0).length,
    successRatio: ratio(requests.length - requests.filter(failed).length, requests.length),
    getSuccessRatio: ratio(gets.length - gets.filter(failed).length, gets.length),
    v1Share: ratio(served.filter(({ version }) => version === "v1").length, served.length),
    v2Share: ratio(served.filter(({ version }) => version === "v2").length, served.length),
    /** Requests that `reviews` got per page that asked for one: 1 without retries. */
    amplification: ratio(
      asked.reduce((sum, { attempts }) => sum + attempts.reviews, 0),
      asked.length,
    ),
    /** Requests that were at an instance when it died. */
    cut: requests.filter(({ cut }) => cut.length > 0).length,
    /** … and were answered all the same, by another. */
    cutAndServed: requests.filter((line) => line.cut.length > 0 && !failed(line)).length,
    p50Ms: quantile(requests, 0.5),
    p99Ms: quantile(requests, 0.99),
  };
}

/** Pages one shopper got, by version. */
export function versionsOf(lines, phase, isUser) {
  const versions = {};
  for (const line of lines) {
    if (line.phase !== phase || line.method !== "GET" || line.version === "" || !isUser(line.user)) continue;
    versions[line.version] = (versions[line.version] ?? 0) + 1;
  }
  return versions;
}

const failed = ({ status }) => status === 0 || status >= 400;

const ratio = (part, whole) => (whole === 0 ? 0 : part / whole);

function quantile(requests, q) {
  const sorted = requests.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? 0;
}
