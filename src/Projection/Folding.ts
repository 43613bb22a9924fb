/**
 * A projection while it is folded in memory: its states, their position, and when to save them. Pure, owned, mutable.
 * Memory.ts reads the log and writes files.
 */
import { Result } from "effect"
import type { AppliedEntry } from "../Cluster/Feed.ts"
import type { Folded } from "./Definition.ts"
import { ProjectionFailed } from "./Failure.ts"
import * as Fold from "./Fold.ts"
import * as Position from "./Position.ts"
import type { Snapshot } from "./Saved.ts"

export interface Folding<S> extends Position.Position {
  readonly projection: Folded<S>
  /** The states at its index. Both change together: read them before any other code runs. */
  readonly states: Fold.States<S>
  /** Saves after so many entries, or as many as it has keys if that is more; and the entry of the next save. */
  readonly dueCount: number
  dueIndex: number
}

/** Begins from the saved states if they can be used, else before the first entry. */
export const begin = <S>(
  projection: Folded<S>,
  saved: Result.Result<Snapshot<S> | undefined, string>,
  dueCount: number
): Folding<S> => {
  const { index, states } = Result.getOrUndefined(saved) ?? { index: 0, states: Fold.empty<S>() }
  const position = Position.make(projection.name, index)
  return { ...position, projection, states, dueCount, dueIndex: index + dueCount }
}

/** Folds the entries that follow its position, and stops before the first entry that it cannot fold. */
export const take = <S>(
  folding: Folding<S>,
  entries: ReadonlyArray<AppliedEntry>
): Result.Result<void, ProjectionFailed> => {
  const { name, projection, states } = folding
  for (const entry of entries) {
    const folded = Fold.fold(projection, states, entry)
    if (Result.isFailure(folded)) {
      const message = `Cannot fold entry ${entry.index}: ${folded.failure}`
      return Result.fail(new ProjectionFailed({ projection: name, index: entry.index, message }))
    }
    folding.index = entry.index
  }
  return Result.void
}

/** Whether to save now. True once, and again after enough new entries. */
export const takeDue = <S>(folding: Folding<S>): boolean => {
  if (folding.index < folding.dueIndex) return false
  folding.dueIndex = folding.index + Math.max(folding.dueCount, folding.states.size)
  return true
}

/** Clones the states for saving, so that folding can go on meanwhile. */
export const snapshot = <S>({ index, states }: Folding<S>): Snapshot<S> => ({ index, states: states.clone() })
