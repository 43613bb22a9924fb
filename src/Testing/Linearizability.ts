/**
 * Whether a history could be that of one sequential object: each operation takes effect at once, at some moment between
 * its beginning and its end. The search of Wing & Gong (1993) with the cache of Lowe ("Testing for linearizability",
 * 2017), one object at a time (Herlihy & Wing 1990, §3.1: a history is linearizable if each object's is). Pure.
 *
 * It is NP-complete (Gibbons & Korach 1997), so the search is bounded, and says when it gave up.
 */
import type { Operation } from "./History.ts"
import { prepare } from "./LinearizationProblem.ts"
import { search } from "./LinearizationSearch.ts"
import type { Model } from "./SequentialModel.ts"

/** The verdict on a history. */
export type Verdict =
  /** `orders` holds an order of effects for each key, without the operations that had none. */
  | { readonly _tag: "Linearizable"; readonly orders: ReadonlyMap<string, ReadonlyArray<Operation>> }
  | { readonly _tag: "NotLinearizable"; readonly key: string; readonly reason: string }
  /** The search found neither within the bound. */
  | { readonly _tag: "Undecided"; readonly keys: ReadonlyArray<string>; readonly stepsMax: number }

export interface Options {
  /** How many times the model may be asked, over all keys. Memory grows with it too: about 100 bytes a step at worst. */
  readonly stepsMax: number
}

export const defaults: Options = { stepsMax: 2_000_000 }

/** Judges every key. If one key is not linearizable, that is the verdict. */
export const check = <State>(
  model: Model<State>,
  operations: ReadonlyArray<Operation>,
  options: Options = defaults
): Verdict => {
  const orders = new Map<string, ReadonlyArray<Operation>>()
  const undecided: Array<string> = []
  let stepsLeft = options.stepsMax
  for (const [key, ofKey] of Map.groupBy(operations, (operation) => operation.key)) {
    const found = search(model, prepare(model, ofKey), stepsLeft)
    stepsLeft -= found.stepsCount
    if (found._tag === "NotFound") return { _tag: "NotLinearizable", key, reason: found.reason }
    if (found._tag === "GaveUp") undecided.push(key)
    else orders.set(key, found.order)
  }
  return undecided.length > 0
    ? { _tag: "Undecided", keys: undecided, stepsMax: options.stepsMax }
    : { _tag: "Linearizable", orders }
}
