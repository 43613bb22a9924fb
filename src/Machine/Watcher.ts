/**
 * Hears of each record that an applied entry touches, on the node that applies it. For followers that need no history
 * and read the tables: it costs an entry almost nothing, and decodes none. Feed.ts has the entries themselves.
 */
import type { Transaction } from "./Transaction.ts"

/** A listener. Each call comes in the middle of the work that applies entries, so it must be quick and must not throw. */
export interface Watcher {
  /** An entry has changed the record: by an event, by a local part, by storing it anew, or by forgetting it. */
  readonly touched: (model: string, id: string) => void
  /** Another state took the place of the tables: any record may have changed. */
  readonly replaced: () => void
}

/** Tells all watchers of an applied entry. */
export const tell = (watchers: ReadonlySet<Watcher>, { events, forgotten, lifted, localParts }: Transaction): void => {
  if (watchers.size === 0) return
  for (const watcher of watchers) {
    for (const { id, model } of events) watcher.touched(model, id)
    for (const { id, model } of localParts ?? []) watcher.touched(model, id)
    // A release that has the former version of the model reads such a record differently, or not at all.
    for (const { id, model } of lifted ?? []) watcher.touched(model, id)
    for (const id of forgotten?.ids ?? []) watcher.touched(forgotten!.model, id)
  }
}

/** Adds a watcher. Returns the function that removes it. */
export const watch =
  (watchers: Set<Watcher>) =>
  (watcher: Watcher): (() => void) => {
    watchers.add(watcher)
    return () => void watchers.delete(watcher)
  }
