/** What the suites for registries write, and how they look at what comes of it. */

import { type Document, parseDocuments } from "@inmesh/model";
import { systemClock } from "../runtime/clock.js";
import type { LeaseSpec, RegistryView, Source } from "../snapshot/source.js";

const WAIT_MS = 15_000;

export interface WatchedSource {
  /** Views so far. */
  readonly count: number;
  /** The last view, or the first one to come, of which `accepts` is true. Rejects after fifteen seconds with the last view. */
  until(accepts: (view: RegistryView) => boolean): Promise<RegistryView>;
}

/** Watches a source and lets a test wait for what it says. */
export function watched(source: Source): WatchedSource {
  let last: RegistryView | undefined;
  let count = 0;
  const waiting = new Set<() => void>();
  source.watch((view) => {
    last = view;
    count += 1;
    for (const look of [...waiting]) look();
  });
  return {
    get count() {
      return count;
    },
    until: (accepts) =>
      new Promise((resolve, reject) => {
        const finish = (settle: () => void): void => {
          timer.cancel();
          waiting.delete(look);
          settle();
        };
        const look = (): void => {
          const view = last;
          if (view !== undefined && accepts(view)) finish(() => resolve(view));
        };
        const timer = systemClock.hold(WAIT_MS, () =>
          finish(() =>
            reject(new Error(`no such view in ${WAIT_MS} ms, the last was ${JSON.stringify(last, null, 1)}`)),
          ),
        );
        waiting.add(look);
        look();
      }),
  };
}

/** Of service `reviews` in namespace `shop`, alive as long as this process. */
export function lease(instance: string): LeaseSpec {
  return {
    namespace: "shop",
    service: "reviews",
    instance,
    address: "127.0.0.1",
    ports: [{ number: 8080, name: "http" }],
    labels: { version: "v1", "app.kubernetes.io/name": "reviews" },
    locality: { region: "eu", zone: "eu-1", subZone: "rack-2" },
    serviceAccount: "reviews",
    pid: process.pid,
    admin: "http://127.0.0.1:9901",
    ttlMs: 15_000,
    inmeshVersion: "0.1.0",
    schemaVersion: 1,
  };
}

type Texts = Readonly<Record<string, string>>;

/** The smallest document there is. */
export function namespace(name: string, labels: Texts = {}, annotations?: Texts): Document {
  const metadata = { name, labels, ...(annotations && { annotations }) };
  const value = { apiVersion: "v1", kind: "Namespace", metadata };
  return parseDocuments(JSON.stringify(value), { file: "" }).documents[0]!; // the text above is one document
}

/** Of all documents, in order of their names. */
export function keys({ documents }: RegistryView): string[] {
  return documents.map(({ key }) => key).sort();
}

export function find({ documents }: RegistryView, name: string): Document | undefined {
  return documents.find((document) => document.name === name);
}

export function label(document: Document | undefined, key: string): string | undefined {
  return metadata(document).labels?.[key];
}

export function annotations(document: Document | undefined): Texts {
  return { ...metadata(document).annotations };
}

export function creationTime(document: Document): string | undefined {
  return metadata(document).creationTimestamp;
}

function metadata(document: Document | undefined): { labels?: Texts; annotations?: Texts; creationTimestamp?: string } {
  return document?.value["metadata"] ?? {};
}
