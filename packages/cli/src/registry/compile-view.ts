/** Views of a registry as one client compiles them, by the same steps as in a process. */

import type { PipelineStatus } from "@inmesh/core";
import { type Clock, type RegistryView, SnapshotStore, type Source } from "@inmesh/core";
import { Pipeline } from "@inmesh/core/internal";
import { type ClientContext, compile, type Snapshot, validateDocument } from "@inmesh/model";

export interface CompiledView {
  /** Undefined when the policy could not be compiled: the status says why. */
  readonly snapshot: Snapshot | undefined;
  readonly status: PipelineStatus;
}

export async function compileView(view: RegistryView, client: ClientContext, clock: Clock): Promise<CompiledView> {
  const { store, pipeline } = start(view, client, clock);
  await settled();
  return { snapshot: store.current, status: pipeline.status };
}

/** One after the other: what does not change from one to the next stays the same object. */
export async function compileViews(
  [first, ...others]: readonly [RegistryView, ...RegistryView[]],
  client: ClientContext,
  clock: Clock,
): Promise<(Snapshot | undefined)[]> {
  const { store, source } = start(first, client, clock);
  await settled();
  const made = [store.current];
  for (const view of others) {
    made.at(-1)?.routes.all(); // compiled lazily: what was never asked for could not be kept
    source.show(view);
    await settled();
    made.push(store.current);
  }
  return made;
}

function start(view: RegistryView, client: ClientContext, clock: Clock) {
  const source = new TurnedPages(view);
  const store = new SnapshotStore({ clock });
  const pipeline = new Pipeline({ source, store, client, validate: validateDocument, compile, clock });
  pipeline.start();
  return { source, store, pipeline };
}

/** The pipeline compiles at the end of the turn. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A source whose views are turned by hand. */
class TurnedPages implements Source {
  readonly status = { state: "fresh", since: 0 } as const;
  #view: RegistryView;
  #listener: (view: RegistryView) => void = () => {};

  constructor(view: RegistryView) {
    this.#view = view;
  }

  watch(listener: (view: RegistryView) => void): void {
    this.#listener = listener;
    listener(this.#view);
  }

  show(view: RegistryView): void {
    this.#view = view;
    this.#listener(view);
  }

  async close(): Promise<void> {}
}
