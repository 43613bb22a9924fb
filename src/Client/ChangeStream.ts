/** The committed changes of one model or of several, as a program follows them: on a node (near/) or over HTTP (far/). docs/client.md. */
import * as Result from "effect/Result"
import type * as Stream from "effect/Stream"
import { wrongTogether } from "../Changes/Together.ts"
import { describe, type IdOf } from "../Model/Class.ts"
import type { FieldError } from "../Model/FieldError.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import type { ReadFailure } from "./Failure.ts"

/**
 * How far a follower of changes has seen them. It is a text to keep, such as beside what a program makes of the changes,
 * and to give as `after`: any node goes on after it.
 */
export type Position = string

/** Where a follower begins: now, if nothing is given. */
export interface ChangesOptions {
  /** The position after which to begin. `"0"` is the beginning of the log. */
  readonly after?: Position
  /** Whether to begin with all records of one state. It takes no `after`. */
  readonly initial?: boolean
}

/** A committed change of a record, or a record of the first state. */
export interface RecordTold<M extends RowClass> {
  /** `record` tells a record of the first state, or one that the caller may read now and could not before. */
  readonly type: "created" | "updated" | "deleted" | "record"
  readonly id: IdOf<M>
  readonly version: number
  /** The record after the change; after a deletion, the last one. Local fields are missing. */
  readonly row: M["Type"]
  /** The index of the entry that changed it. */
  readonly index: number
  /** When the change was decided, by the leader's clock, in ms; undefined if `type` is `record`. */
  readonly timeMs: number | undefined
  readonly position: Position
}

/** A record was erased, deleted or not by then. A program that kept its data removes that now. */
export interface ErasedTold<M extends RowClass> {
  readonly type: "erased"
  readonly id: IdOf<M>
  readonly index: number
  readonly timeMs: number
  readonly position: Position
}

/** The caller may not read the record any more. A program that kept it removes that now. */
export interface LeftTold<M extends RowClass> {
  readonly type: "left"
  readonly id: IdOf<M>
  /** The index of the entry with which it left. */
  readonly index: number
  readonly position: Position
}

/** Nothing more was there up to `index`. One comes at least every 15 s. */
export interface Bookmark {
  readonly type: "bookmark"
  readonly index: number
  /** The greatest possible age of that state, in ms, if a quorum has confirmed any. */
  readonly staleMs: number | undefined
  /** Whether the first state is complete: all of its records came before. */
  readonly isInitialEnd: boolean
  readonly position: Position
}

/** What a follower of changes is told. */
export type Told<M extends RowClass> = RecordTold<M> | ErasedTold<M> | LeftTold<M> | Bookmark

/**
 * Follows the committed changes of a model, each once and in order. Fails with the problem `changes-gone` if the cluster
 * does not have what comes after the position, or if the caller may read other records now than it could there.
 */
export type FollowChanges<M extends RowClass> = (options?: ChangesOptions) => Stream.Stream<Told<M>, ReadFailure>

/** Models by names of the caller's choice, such as `{ Product, Review }`. */
export type Several = Readonly<Record<string, RowClass>>

/** What a follower of several models is told: `model` has the caller's name for the model of a record. */
export type ToldOf<Models extends Several> =
  | {
      readonly [Name in keyof Models & string]: (
        | RecordTold<Models[Name]>
        | ErasedTold<Models[Name]>
        | LeftTold<Models[Name]>
      ) & {
        readonly model: Name
      }
    }[keyof Models & string]
  | Bookmark

/**
 * Follows the committed changes of 1 to 64 replicated models in one stream, each once and in the order of the log. It
 * fails as {@link FollowChanges} does, and with `invalid-request` for a model of the node's own.
 *
 * @example
 * ```ts
 * import { Console, Effect, Schema, Stream } from "effect"
 * import { Model, Repository } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 * class Review extends Model.Class<Review>("Review")({
 *   id: Model.id(Schema.String),
 *   stars: Schema.Int.pipe(Model.replicate)
 * }) {}
 *
 * export const told = Stream.unwrap(
 *   Effect.map(Repository.Repository, ({ changes }) => changes({ Product, Review }, { after: "0" }))
 * ).pipe(
 *   Stream.runForEach((told) => {
 *     if (told.type === "bookmark" || told.type === "erased" || told.type === "left") return Effect.void
 *     switch (told.model) {
 *       case "Product":
 *         return Console.log(told.row.name)
 *       case "Review":
 *         return Console.log(told.row.stars)
 *     }
 *   })
 * )
 * ```
 */
export type FollowSeveral = <const Models extends Several>(
  models: Models,
  options?: ChangesOptions
) => Stream.Stream<ToldOf<Models>, ReadFailure>

/** The models of one stream, and the caller's name for each, if the caller gave any. */
export type Named = ReadonlyArray<readonly [name: string | undefined, model: RowClass]>

/** Checks the models of a stream of several, and the options. */
export const checkSeveral = (
  models: Several,
  options: ChangesOptions
): Result.Result<void, ReadonlyArray<FieldError>> => {
  const wrong = wrongTogether(Object.values(models).map(describe))
  return wrong.length > 0 ? Result.fail(wrong.map((message) => ({ path: "models", message }))) : checkChanges(options)
}

/** The member of an element that says of which model it is. */
export const nameMember = (name: string | undefined): { readonly model?: string } =>
  name === undefined ? {} : { model: name }

/** Checks the options. */
export const checkChanges = ({ after, initial }: ChangesOptions): Result.Result<void, ReadonlyArray<FieldError>> =>
  after !== undefined && initial === true
    ? Result.fail([{ path: "initial", message: "takes no after: the first state is the newest one" }])
    : Result.void
