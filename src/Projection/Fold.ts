/** Folding events into states. Pure but for the states, which it owns: an ordered map, cloned at the cost of nothing. */
import { Result } from "effect"
import type { AppliedEntry } from "../Cluster/Feed.ts"
import * as OrderedMap from "../Machine/OrderedMap.ts"
import type { Folded } from "./Definition.ts"
import type { Event } from "./Event.ts"
import { thrown } from "./Failure.ts"
import { nameOfKey } from "./Key.ts"

/** By the name of the key; the one state of a projection without keys is under {@link wholeKey}. A key that is not there is at its initial state. */
export type States<S> = OrderedMap.OrderedMap<string, S>

export const wholeKey = ""

export const empty = <S>(): States<S> => OrderedMap.make()

/** Folds one entry: all of it, or, where the projection's own code throws, none. Says what is wrong then. */
export const fold = <S>(projection: Folded<S>, states: States<S>, entry: AppliedEntry): Result.Result<void, string> => {
  const events = projection.eventsOf(entry)
  if (Result.isFailure(events)) return Result.fail(events.failure)
  const changed = new Map<string, S | undefined>()
  for (const event of events.success) {
    const wrong = Result.try({ try: () => evolveOne(projection, states, changed, event), catch: thrown })
    if (Result.isFailure(wrong)) return Result.fail(wrong.failure)
    if (wrong.success !== undefined) return Result.fail(wrong.success)
  }
  for (const [key, state] of changed) {
    if (state === undefined) states.delete(key)
    else states.set(key, state)
  }
  return Result.void
}

/** Says what is wrong with what the projection's own code gave. */
const evolveOne = <S>(
  projection: Folded<S>,
  states: States<S>,
  changed: Map<string, S | undefined>,
  event: Event
): string | undefined => {
  const named = projection._tag === "Keyed" ? projection.keyOf(event) : wholeKey
  if (named === undefined) return undefined
  const key = nameOfKey(named)
  const before = changed.has(key) ? changed.get(key) : states.get(key)
  // A state may well be null.
  const after = projection.evolve(before === undefined ? projection.initial : before, event)
  // Of a key it says that there is no state any more; without keys it would pass for the initial one.
  if (after === undefined && projection._tag === "Whole") return "its code gave undefined for a state: use null"
  changed.set(key, after)
  return undefined
}
