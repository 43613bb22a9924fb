/**
 * A projection as it is folded in memory: its states, the position that they reflect, and when they are to be saved.
 * Pure, owned, mutable. Reading the log and keeping files is for whoever runs it (Memory.ts).
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
  /** The states at its index: the two change together, and are to be looked at before anything else runs. */
  readonly states: Fold.States<S>
  /** Entries, or keys if those are more, after which it is saved again; and the entry from which on it is to be. */
  readonly dueCount: number
  dueIndex: number
}

/** Begins from what was saved, if there is any, and it can be used; or else before the first entry. */
export const begin = <S>(
  projection: Folded<S>,
  saved: Result.Result<Snapshot<S> | undefined, string>,
  dueCount: number
): Folding<S> => {
  const { index, states } = Result.getOrUndefined(saved) ?? { index: 0, states: Fold.empty<S>() }
  const position = Position.make(projection.name, index)
  return { ...position, projection, states, dueCount, dueIndex: index + dueCount }
}

/** Folds entries that follow its position; of one that cannot be folded, and of those after it, nothing. */
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

/** Whether it is to be saved now: said once, and again when as much has come since. */
export const takeDue = <S>(folding: Folding<S>): boolean => {
  if (folding.index < folding.dueIndex) return false
  folding.dueIndex = folding.index + Math.max(folding.dueCount, folding.states.size)
  return true
}

/** What is to be saved: a clone, which what is folded meanwhile does not change. */
export const snapshot = <S>({ index, states }: Folding<S>): Snapshot<S> => ({ index, states: states.clone() })
