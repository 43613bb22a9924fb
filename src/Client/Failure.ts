/**
 * The failures of a repository. A refusal is a `Problem`, near and far alike: nothing changed. A change that may be done
 * fails with `UnknownOutcome`, which has the key by which to find out.
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { dual } from "effect/Function"
import * as Result from "effect/Result"
import type { FieldError } from "../Model/FieldError.ts"
import { type CommonMembers, invalidRequest, Problem, type ProblemMembers, type ProblemName } from "../Problem.ts"
import type { UnknownOutcome } from "../Raft/node/Outcome.ts"

/** No node answered a read in time: the client reached none, or something else answered. Only a client far from its nodes meets it. */
export class NoAnswer extends Data.TaggedError("NoAnswer")<{ readonly message: string }> {}

/**
 * The answer does not fit the schemas of this program: the cluster runs another version of the application. If the
 * request was a change, it is done.
 */
export class Unreadable extends Data.TaggedError("Unreadable")<{ readonly message: string }> {}

/** Why a read failed. */
export type ReadFailure = Problem | NoAnswer | Unreadable

/** Why a change failed. Only after `UnknownOutcome` it may be done; after `Unreadable` it is done. */
export type WriteFailure = Problem | UnknownOutcome | Unreadable

/** A problem of this name, with its members. */
export type ProblemOf<Name extends ProblemName> = Problem & {
  readonly kind: Name
  readonly members: ProblemMembers<Name> & CommonMembers
}

/**
 * Whether an error is the problem of this name. Narrows the type of its members.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Model, Repository } from "lithair"
 *
 * class Note extends Model.Class<Note>("Note")({
 *   id: Model.id(Schema.String),
 *   text: Schema.String.pipe(Model.replicate)
 * }) {}
 *
 * const rewrite = Effect.fnUntraced(function* (id: string, text: string, version: number) {
 *   const notes = yield* Repository.make(Note)
 *   return yield* notes.patch(id, { text }, { ifVersion: version }).pipe(
 *     Effect.catchIf(Repository.isProblem("version-conflict"), ({ members }) =>
 *       Effect.fail(`It is at version ${members.currentVersion} by now`)
 *     )
 *   )
 * })
 * ```
 */
export const isProblem: {
  <const Name extends ProblemName>(name: Name): <E>(error: E) => error is E & ProblemOf<Name>
  <const Name extends ProblemName, E>(error: E, name: Name): error is E & ProblemOf<Name>
  // A predicate of two shapes needs the cast.
} = dual(2, (error: unknown, name: ProblemName) => error instanceof Problem && error.kind === name) as never

/** Takes an encoded value. If it does not fit its schema, fails with the problem that a node would send. */
export const misfit = <A>(result: Checked<A>): Effect.Effect<A, Problem> =>
  refused(result, "The data does not fit the model: see the errors")

/** Takes the options of a read. If they make no sense, fails with the problem. */
export const misread = <A>(result: Checked<A>): Effect.Effect<A, Problem> =>
  refused(result, "The options of this read are invalid: see the errors")

type Checked<A> = Result.Result<A, ReadonlyArray<FieldError>>

const refused = <A>(result: Checked<A>, detail: string): Effect.Effect<A, Problem> =>
  Effect.fromResult(Result.mapError(result, (errors) => invalidRequest(detail, errors)))
