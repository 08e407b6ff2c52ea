/** undici as an argument: a preload loads it on the first request only, a bundled application brings its own import. */

export type Undici = Pick<
  typeof import("undici"),
  "Agent" | "buildConnector" | "Client" | "Dispatcher" | "errors" | "FormData" | "interceptors" | "Response" | "util"
>;
