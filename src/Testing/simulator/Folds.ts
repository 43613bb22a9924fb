/**
 * Checks the projections of a simulated cluster, of every node and life: at an equal index they are equal to each other and
 * to the tables there, and in the end to one fold of the whole log. Pure but for its notes.
 */
import { Result } from "effect"
import type { AppliedEntry } from "../../Cluster/Feed.ts"
import type { Tables } from "../../Machine/Tables.ts"
import type { Folded } from "../../Projection/Definition.ts"
import * as Fold from "../../Projection/Fold.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import { fail } from "./Failure.ts"
import type { Viewed } from "./Projections.ts"

/** By projection and index: the states of the first node that came there, as text. */
export type Folds = Map<Folded<unknown>, Array<string | undefined>>

/** States are plain JSON, and every maker of a state gives its fields in the same order. */
const textOf = (states: Iterable<readonly [string, unknown]>): string => JSON.stringify([...states])

/** Checks a projection that a node has folded through `index`. `tables` are the node's, if they are at the same entry. */
export const folded = (
  folds: Folds,
  id: NodeId,
  { inTables, projection }: Viewed,
  at: { readonly index: number; readonly states: Fold.States<unknown>; readonly tables: Tables | undefined }
): void => {
  const { index, states, tables } = at
  const texts = folds.get(projection) ?? []
  folds.set(projection, texts)
  const text = textOf(states.entries())
  texts[index] ??= text
  const what = `${id}: its projection ${projection.name} at entry ${index}`
  if (text !== texts[index]) fail(`${what} differs from that of another life`)
  if (tables !== undefined && text !== textOf(inTables(tables))) fail(`${what} is not what its tables say`)
}

/** Checks all states that any node ever held against a fold of the committed log. */
export const areOfLog = (folds: Folds, committed: ReadonlyArray<AppliedEntry>): void => {
  for (const [projection, texts] of folds) {
    const states = Fold.empty<unknown>()
    for (const entry of committed) {
      if (Result.isFailure(Fold.fold(projection, states, entry))) fail(`${projection.name} cannot fold ${entry.index}`)
      const text = texts[entry.index]
      if (text !== undefined && text !== textOf(states.entries())) {
        fail(`the projection ${projection.name} was at entry ${entry.index} what no fold of the log comes to`)
      }
    }
  }
}
