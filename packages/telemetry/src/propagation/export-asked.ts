/** What the environment says about sending spans, known before anything of OpenTelemetry is loaded. */

type Env = Readonly<Record<string, string | undefined>>;

/** Whether spans are to be sent anywhere. */
export function exportAsked(env: Env): boolean {
  if (env["OTEL_SDK_DISABLED"]?.trim().toLowerCase() === "true") return false;
  const exporters = env["OTEL_TRACES_EXPORTER"]?.trim() ?? "";
  if (exporters !== "") return !exporters.split(",").some((name) => name.trim() === "none");
  return [env["OTEL_EXPORTER_OTLP_ENDPOINT"], env["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]].some(
    (endpoint) => (endpoint?.trim() ?? "") !== "",
  );
}
