import { describeBadDays } from "./bad-days.js";

describeBadDays(300);
