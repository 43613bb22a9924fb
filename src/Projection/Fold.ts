/** Folds events into states. Pure except for the states, which it owns: an ordered map that clones in constant time. */
import { Result } from "effect"
import type { AppliedEntry } from "../Cluster/Feed.ts"
import * as OrderedMap from "../Machine/OrderedMap.ts"
import type { Folded } from "./Definition.ts"
import type { Event } from "./Event.ts"
import { thrown } from "./Failure.ts"
import { nameOfKey } from "./Key.ts"

/** The states by the name of their key. A projection without keys has its state under {@link wholeKey}. A missing key has the initial state. */
export type States<S> = OrderedMap.OrderedMap<string, S>

export const wholeKey = ""

export const empty = <S>(): States<S> => OrderedMap.make()

/** Folds all events of one entry. If the projection's code throws, folds none of them and returns the reason. */
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

/** Folds one event. Returns what is wrong with the result of the projection's code, if anything. */
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
  // Null is a valid state.
  const after = projection.evolve(before === undefined ? projection.initial : before, event)
  // For a key, undefined removes the state. Without keys it would look like the initial state.
  if (after === undefined && projection._tag === "Whole") return "its code returned undefined for a state: return null"
  changed.set(key, after)
  return undefined
}
