import { readFileSync } from "node:fs";
import { explain } from "@inmesh/core";
import { compile, parseDocuments, validateDocument } from "@inmesh/model";
import { it } from "vitest";
it("cmp", () => {
  const input = JSON.parse(readFileSync("/tmp/orc2/in.json", "utf8")).groups;
  const output = JSON.parse(readFileSync("/tmp/orc2/out.json", "utf8"));
  let count = 0, wrong = 0, errors = 0, shown = 0;
  for (const [gi, group] of input.entries()) {
    const out = output[gi];
    const se = group.services.map((s: any) => ({ apiVersion: "networking.istio.io/v1", kind: "ServiceEntry", metadata: { name: s.host.split(".")[0], namespace: "shop" },
      spec: { hosts: [s.host], ports: [{ number: 80, name: "http", protocol: "HTTP" }], location: "MESH_INTERNAL", resolution: "STATIC", endpoints: ["v1", "v2"].map((v, i) => ({ address: `10.0.0.${i + 1}`, labels: { version: v } })) } }));
    const resources = [...se, ...group.resources].flatMap((d: any) => parseDocuments(JSON.stringify(d), { file: "x" }).documents.flatMap((x) => validateDocument(x).resource ?? []));
    const snapshot = compile({ resources, workloads: [], client: { namespace: "shop", service: "app", labels: { app: "app" } }, problems: [], version: 1 });
    if (out.error) { errors++; console.log(group.id, "ERROR", String(out.error).slice(0, 300)); continue; }
    for (const [ri, request] of group.requests.entries()) {
      const r = out.results[ri]; count++;
      const said = explain(snapshot, request);
      const bad: string[] = [];
      const check = (w: string, a: unknown, b: unknown) => { if (JSON.stringify(a) !== JSON.stringify(b)) bad.push(`${w}: ours ${JSON.stringify(a)} istio ${JSON.stringify(b)}`); };
      const rh = Object.fromEntries(Object.entries(r.headers ?? {}).filter(([n]) => /^(x-(?!envoy|request-id|oracle)|access-control-)/.test(n)).map(([n, v]) => [n, (v as string[]).join(",")]).sort());
      const oh: Record<string, string> = {}; for (const [n, v] of Object.entries(said.responseHeaders.set)) oh[n] = v; for (const [n, v] of Object.entries(said.responseHeaders.add)) oh[n] = oh[n] === undefined ? v : `${oh[n]},${v}`;
      const ohs = Object.fromEntries(Object.entries(oh).sort());
      if (r.passthrough) check("outcome", said.outcome, "passThrough");
      else if (r.upstream) {
        check("outcome", said.outcome, "route");
        if (said.outcome === "route") {
        check("dest", said.destinations.some((d) => d.host === r.upstream.host && (d.subset === "" || d.subset === r.upstream.subset)), true);
        check("path", said.request.path, r.upstream.path);
        if (said.destinations.length === 1) {
          check("authority", said.request.authority, r.upstream.authority);
          const uh: Record<string, string> = {}; for (const [n, v] of r.upstream.headers) if (!/^(host|x-forwarded-proto|x-request-id|x-envoy-.*|transfer-encoding|content-length|connection)$/.test(n)) uh[n] = uh[n] === undefined ? v : `${uh[n]},${v}`;
          check("reqheaders", Object.entries(said.request.headers).sort(), Object.entries(uh).sort());
          check("resheaders", ohs, rh);
        } }
      } else {
        const st = said.status ?? (said.destinations.some((d) => d.endpoints === 0) ? 503 : null);
        if (!(said.outcome === "route" && r.status === 503 && said.destinations.some((d) => d.endpoints === 0)) && !(said.outcome==="route" && said.destinations.some(d=>snapshot.cluster(d.cluster)===undefined) && r.status===503)) check("status", st, r.status);
        if (said.redirect) check("location", said.redirect.location, r.headers.location?.[0]);
        if (said.directResponse && request.method !== "HEAD" && r.status !== 204) check("body", said.directResponse.body, r.body ?? "");
        if (said.destinations.length < 2 && !said.origins.some((o) => o.path.includes(".route[")) && r.status!==204) check("resheaders", ohs, rh);
      }
      if (bad.length) { wrong++; if (shown++ < 14) console.log(group.id, ri, JSON.stringify(request), "\n  ", bad.join("\n   "), "\n  ", said.steps.slice(-3).join("\n   ").slice(0, 700), "\n", said.outcome, r.status); }
    }
  }
  console.log({ count, wrong, errors });
});
