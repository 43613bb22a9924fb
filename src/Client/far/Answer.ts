/** What an answer of a node means: a value of this program, or a record or path that the node does not have. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { Problem } from "../../Problem.ts"
import { Unreadable } from "../Failure.ts"

/** Whether the record or state does not exist, although the node knows its model or projection. */
export const isAbsent = (failure: { readonly _tag: string }): boolean =>
  failure instanceof Problem && failure.kind === "not-found" && !isNotServed(failure)

/** Whether the node does not know the path. Another node may know it, as in a rolling upgrade. */
export const isNotServed = ({ kind, members }: Problem): boolean => kind === "not-found" && members.served === false

/** Takes a decoded answer. Fails with `Unreadable` if it did not decode. */
export const decoded = <A>(result: Result.Result<A, { readonly message: string }>): Effect.Effect<A, Unreadable> =>
  Effect.fromResult(Result.mapError(result, ({ message }) => new Unreadable({ message })))
