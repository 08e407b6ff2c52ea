import { describeBadDays } from "./bad-days.js";

// `npm test` kills, restarts and switches off in the story of `npm start`; here for longer.
describeBadDays(300);
