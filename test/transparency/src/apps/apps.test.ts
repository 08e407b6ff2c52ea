/** Well-known apps, unmodified, under the preload. The others run by `npm run transparency -- apps`. */

import { expect, it } from "vitest";
import { QUICK } from "./apps.js";
import { judgeApp } from "./judge-app.js";

it.each(QUICK.map((app) => [app.name, app] as const))("%s answers and ends as without a mesh", async (_, app) => {
  const { bare, meshed } = await judgeApp(app, () => {});
  expect(meshed).toEqual(bare);
});
