/** What the environment says about sending spans and log records, known before anything of OpenTelemetry is loaded. */

type Env = Readonly<Record<string, string | undefined>>;

/** Whether spans are to be sent anywhere. */
export function exportAsked(env: Env): boolean {
  return isAsked(env, "TRACES");
}

/** Whether log records are, where policy asks for any. */
export function logsAsked(env: Env): boolean {
  return isAsked(env, "LOGS");
}

function isAsked(env: Env, signal: "TRACES" | "LOGS"): boolean {
  if (env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true") return false;
  const exporters = env[`OTEL_${signal}_EXPORTER`]?.trim() ?? "";
  if (exporters !== "") return !exporters.split(",").some((name) => name.trim() === "none");
  return [env["OTEL_EXPORTER_OTLP_ENDPOINT"], env[`OTEL_EXPORTER_OTLP_${signal}_ENDPOINT`]].some(
    (endpoint) => (endpoint?.trim() ?? "") !== "",
  );
}
