/** The recorded sets of routing rules (../shared/cases/istio-routes.json), once from YAML and once through a real istiod: the same answers. */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { explain, type RegistryView, systemClock, systemRandom } from "@inmesh/core";
import { compile, documentFromValue, type Snapshot, validateDocument } from "@inmesh/model";
import { ApiSource, istioNode } from "@inmesh/xds/api";
import { createXdsClient, parseXdsTarget } from "@inmesh/xds/client";
import { expect, it } from "vitest";
import { eventually } from "../eventually.js";
import { findIstiod } from "./find-istiod.js";
import { Istiod } from "./istiod.js";
import { document } from "./shop.js";

interface Recorded {
  readonly services: readonly { readonly host: string; readonly ports?: readonly number[] }[];
  readonly groups: readonly {
    readonly id: string;
    readonly resources: readonly object[];
    readonly cases: readonly {
      readonly request: {
        readonly method: string;
        readonly host: string;
        readonly path: string;
        readonly headers?: Readonly<Record<string, string>>;
      };
    }[];
  }[];
}

const { INMESH_CASES, INMESH_SHARED, INMESH_MATRIX } = process.env;
const REPOSITORY = fileURLToPath(new URL("../../../../", import.meta.url));
const FILE = join(INMESH_CASES ?? join(INMESH_SHARED ?? join(REPOSITORY, "../shared"), "cases"), "istio-routes.json");
const binary = findIstiod("that rules mean the same through an istiod");
/** A set takes two pushes. */
const EVERY = INMESH_MATRIX === "1" ? 1 : 12;
const CLIENT = { namespace: "shop", service: "app", labels: { app: "app" } };

it.skipIf(binary === undefined || !existsSync(FILE))(
  "every request is led as by the YAML",
  { timeout: 240_000 },
  async () => {
    const { services, groups } = JSON.parse(readFileSync(FILE, "utf8")) as Recorded;
    const around = services.map(serviceEntry);
    await using istiod = await Istiod.start({
      binary: binary ?? "",
      documents: around,
      env: { PILOT_DEBOUNCE_AFTER: "20ms", PILOT_DEBOUNCE_MAX: "500ms" },
    });
    const target = parseXdsTarget(`xds://${istiod.address}`, { env: {}, readFile: () => "" });
    const facts = { ...CLIENT, name: "app-1", address: "127.0.0.1", member: false, env: {} };
    const [clock, random] = [systemClock, systemRandom];
    const client = createXdsClient(target, { node: istioNode(facts), version: "0", clock, random });
    const source = new ApiSource({ client, clock });
    let view: RegistryView | undefined;
    source.watch((next) => {
      view = next;
    });
    const differences: unknown[] = [];
    let asked = 0;
    for (const [index, { id, resources, cases }] of groups.entries()) {
      if (index % EVERY !== 0) continue;
      const all = [...around, ...resources];
      // Istiod takes the documents of a set one after the other, and may push before the last; and it tells of each kind by itself.
      // So what a second mark of every kind follows is whole.
      let told: RegistryView | undefined;
      for (const name of [`marker-${index}a`, `marker-${index}b`]) {
        istiod.write([...all, ...markers(name)]);
        told = await eventually(`${id} is told`, () => {
          const seen = view?.documents.filter((one) => one.name === name).length;
          return seen === markers(name).length ? view : undefined;
        });
      }
      const documents = (told as RegistryView).documents.filter(
        ({ name, kind }) => kind !== "MeshConfig" && !name.startsWith("marker-"),
      );
      const [byYaml, byIstiod] = [snapshotOf(all), snapshotOf(documents.map(({ value }) => value))];
      for (const { request } of cases) {
        asked += 1;
        const { host, path, ...rest } = request;
        const question = { ...rest, url: `http://${host}${path}` };
        const [yaml, istio] = [byYaml, byIstiod].map((snapshot) => {
          // The revision tells zeros that nobody sends; of several reasons why a rule is passed by, maps have another one first.
          const { snapshot: _, steps: __, passedBy: ___, ...answer } = explain(snapshot, question);
          return answer;
        });
        const parts = Object.keys(yaml ?? {}).map((part) => [
          part,
          ...[yaml, istio].map((answer) => partOf(answer, part)),
        ]);
        const other = parts.filter(([, one, two]) => one !== two);
        if (other.length > 0) differences.push({ id, request, other });
      }
    }
    await source.close();
    expect(differences.slice(0, 2)).toEqual([]);
    expect(asked).toBeGreaterThan(4_368 / EVERY / 2);
  },
);

function serviceEntry({ host, ports = [80] }: Recorded["services"][number]): object {
  const [name = "", namespace = ""] = host.split(".");
  const entry = document("ServiceEntry", name, {
    ...{ hosts: [host], location: "MESH_INTERNAL", resolution: "STATIC" },
    ports: ports.map((number) => ({ number, name: `http-${number}`, protocol: "HTTP" })),
    endpoints: ports.slice(0, 1).map((number) => ({ address: "127.0.0.2", ports: { [`http-${number}`]: 9_999 } })),
  });
  return { ...entry, metadata: { name, namespace } };
}

function partOf(answer: object | undefined, part: string): string {
  return JSON.stringify((answer as Record<string, unknown> | undefined)?.[part] ?? null);
}

/** One of each kind that the sets have and that means nothing to others. */
function markers(name: string): readonly object[] {
  const host = `${name}.test`;
  const port = { number: 80, name: "http", protocol: "HTTP" };
  return [
    document("WorkloadEntry", name, { address: "127.0.0.9", labels: { marker: "yes" } }),
    document("ServiceEntry", name, { hosts: [host], ports: [port], resolution: "STATIC", location: "MESH_INTERNAL" }),
    document("DestinationRule", name, { host }),
    document("VirtualService", name, { hosts: [host], http: [{ directResponse: { status: 200 } }] }),
  ];
}

function snapshotOf(values: readonly unknown[]): Snapshot {
  const documents = values.flatMap((value) => documentFromValue(value).documents);
  const sorted = documents.sort((a, b) => (a.key < b.key ? -1 : 1));
  const resources = sorted.flatMap((one) => validateDocument(one).resource ?? []);
  return compile({ resources, workloads: [], client: CLIENT, problems: [], version: 1 }, undefined);
}
