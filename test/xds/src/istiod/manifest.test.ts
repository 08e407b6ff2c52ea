/** The manifest of examples/istio: YAML of the right kinds, and settings that a process takes. No cluster runs it here. */

import { readFileSync } from "node:fs";
import { parseXdsTarget } from "@inmesh/xds/client";
import { expect, it } from "vitest";
import { parseAllDocuments, parseDocument } from "yaml";
import { resolveSettings } from "../../../../packages/node/src/settings/resolve-settings.js";

interface Variable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

interface Container {
  readonly env: readonly Variable[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string };
  readonly spec: {
    readonly template: {
      readonly metadata: { readonly labels: Readonly<Record<string, string>> };
      readonly spec: {
        readonly serviceAccountName: string;
        readonly containers: readonly [Container];
        readonly volumes: readonly { readonly name: string }[];
      };
    };
  };
}

/** What the platform fills in. */
const FIELDS: Readonly<Record<string, string>> = {
  "spec.serviceAccountName": "web",
  "metadata.namespace": "shop",
  "metadata.name": "web-1",
  "status.podIP": "10.0.0.7",
};

const FILE = new URL("../../../../examples/istio/deployment.yaml", import.meta.url);

it("has settings that a process takes, and mounts what they name", () => {
  const documents = parseAllDocuments(readFileSync(FILE, "utf8"));
  expect(documents.flatMap(({ errors }) => errors)).toEqual([]);
  const manifests = documents.map((document) => document.toJS() as Manifest);
  expect(manifests.map(({ kind }) => kind)).toEqual(["ServiceAccount", "Service", "Deployment"]);
  const { template } = (manifests[2] as Manifest).spec; // of three
  const [{ env, volumeMounts }] = template.spec.containers;
  const values = Object.fromEntries(
    env.map(({ name, value, valueFrom }) => [name, value ?? FIELDS[valueFrom?.fieldRef.fieldPath ?? ""]]),
  );
  const warnings: string[] = [];
  const settings = resolveSettings(
    {},
    { env: values, cwd: "/", parseYaml: () => parseDocument, warn: (message) => warnings.push(message) },
  );
  expect(warnings).toEqual([]);
  expect(settings).toMatchObject({ service: "web", namespace: "shop", serviceAccount: "web", identity: "istio-ca" });
  expect(template.metadata.labels).toMatchObject({
    ...settings.labels,
    "sidecar.istio.io/inject": "false",
    "security.istio.io/tlsMode": "istio",
  });
  const [server] = parseXdsTarget(String(settings.config), { env: {}, readFile: () => "" }).servers;
  const folders = volumeMounts.map(({ mountPath }) => mountPath);
  for (const file of [server?.tokenFile, server?.tls?.caFile, settings.stateDir]) {
    expect(folders.some((folder) => file?.startsWith(folder))).toBe(true);
  }
  expect(volumeMounts.map(({ name }) => name)).toEqual(template.spec.volumes.map(({ name }) => name));
});
