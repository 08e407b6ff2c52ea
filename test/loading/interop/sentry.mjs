// Sentry as its guide sets it up, with a transport that drops everything.
import * as Sentry from "@sentry/node";

Sentry.init({
  dsn: "https://key@sentry.invalid/1",
  tracesSampleRate: 1,
  transport: () => ({ send: async () => ({}), flush: async () => true }),
});
