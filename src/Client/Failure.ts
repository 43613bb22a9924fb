/**
 * The failures of a client. A refusal is the node's own `Problem`, read from the wire: nothing changed. A change that may
 * be done fails with `UnknownOutcome`, which has the key by which to find out.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { FieldError } from "../Model/Descriptor.ts"
import { type CommonMembers, invalidRequest, Problem, type ProblemMembers, type ProblemName } from "../Problem.ts"

/** No node answered a read in time: the client reached none, or something else answered. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly message: string }> {}

/**
 * The answer does not fit the schemas of this client: the cluster runs another version of the application. If the
 * request was a change, it is done.
 */
export class Unreadable extends Data.TaggedError("Unreadable")<{ readonly message: string }> {}

/** Whether a problem has this name. Narrows the type of its members. */
export const isProblem = <Name extends ProblemName>(
  error: Problem,
  name: Name
): error is Problem & { readonly kind: Name; readonly members: ProblemMembers<Name> & CommonMembers } =>
  error.kind === name

/** Whether the record or state does not exist, although the node knows its model or projection. */
export const isAbsent = (failure: { readonly _tag: string }): boolean =>
  failure instanceof Problem && failure.kind === "not-found" && !isNotServed(failure)

/** Whether the node does not know the path. Another node may know it, as in a rolling upgrade. */
export const isNotServed = ({ kind, members }: Problem): boolean => kind === "not-found" && members.served === false

/** Takes a decoded answer. Fails with `Unreadable` if it did not decode. */
export const decoded = <A>(result: Result.Result<A, Schema.SchemaError>): Effect.Effect<A, Unreadable> =>
  Effect.fromResult(Result.mapError(result, ({ message }) => new Unreadable({ message })))

/** Takes an encoded value. If it does not fit its schema, fails with the problem that a node would send. */
export const misfit = <A>(result: Result.Result<A, ReadonlyArray<FieldError>>): Effect.Effect<A, Problem> =>
  Effect.fromResult(
    Result.mapError(result, (errors) => invalidRequest("The data does not fit the model: see the errors", errors))
  )
