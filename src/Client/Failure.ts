/**
 * Why a client has no answer. A refusal is the node's own `Problem`, read from the wire: it says that nothing changed.
 * What may have changed something is `UnknownOutcome`, with the key to find out by.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"
import type { FieldError } from "../Model/Descriptor.ts"
import { type CommonMembers, invalidRequest, Problem, type ProblemMembers, type ProblemName } from "../Problem.ts"

/** A read that no node answered in time: none could be reached, or what answered was none. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly message: string }> {}

/**
 * It was answered, and done if it was a change; but the answer does not fit the schemas of this client, which are of
 * another version of the application than the cluster runs.
 */
export class Unreadable extends Data.TaggedError("Unreadable")<{ readonly message: string }> {}

/** Whether a problem is the one of this name, with what it says besides. */
export const isProblem = <Name extends ProblemName>(
  error: Problem,
  name: Name
): error is Problem & { readonly kind: Name; readonly members: ProblemMembers<Name> & CommonMembers } =>
  error.kind === name

/** Whether there is no such record, or state: its node knows of such, and has none. */
export const isAbsent = (failure: { readonly _tag: string }): boolean =>
  failure instanceof Problem && failure.kind === "not-found" && !isNotServed(failure)

/** The node's code does not know the path: that of another may, as in a rolling upgrade. */
export const isNotServed = ({ kind, members }: Problem): boolean => kind === "not-found" && members.served === false

/** What an answer says, if it can be read. */
export const decoded = <A>(result: Result.Result<A, Schema.SchemaError>): Effect.Effect<A, Unreadable> =>
  Effect.fromResult(Result.mapError(result, ({ message }) => new Unreadable({ message })))

/** What is to be sent; what does not fit its schema is refused here as a node would refuse it. */
export const misfit = <A>(result: Result.Result<A, ReadonlyArray<FieldError>>): Effect.Effect<A, Problem> =>
  Effect.fromResult(Result.mapError(result, (errors) => invalidRequest("The data does not fit the model", errors)))
