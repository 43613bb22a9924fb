/**
 * What the handler of a command may do, and the one thing that it may require: read and change records of replicated
 * models, decoded, in one transaction. It sees its own changes; others see all of them, or none if it fails.
 *
 * Time and randomness are the transaction's too, and are had as anywhere: `Clock` and `DateTime.now` tell the time of
 * the entry, `Random` is seeded for it.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Described } from "../Model/Class.ts"
import type { RowClass } from "../Model/RowCodecs.ts"

/** There is no such record. A handler that lets it pass answers 404 `not-found`. */
export class NotFound extends Data.TaggedError("NotFound")<{ readonly model: string; readonly id: string }> {
  override get message(): string {
    return `There is no ${this.model} ${this.id}`
  }
}

/**
 * An operation breaks a rule of its model: an id in use, a unique value taken, data that does not fit; `reason` says
 * which. It changed nothing. A handler that lets it pass answers what a request for it would have been answered.
 */
export class OperationRefused extends Data.TaggedError("OperationRefused")<{
  readonly model: string
  readonly reason: Rejection
}> {
  override get message(): string {
    return `An operation on ${this.model} was refused: ${this.reason._tag}`
  }
}

/** A model whose records a command sees: all but local ones, which are each node's own. */
export type ModelClass = RowClass & Described<"replicated" | "mixed">

/** A record: an instance of the model's class. Local fields are not there, since each node has its own. */
export type Row<M extends ModelClass> = M["Type"]

type Replicated<M extends ModelClass> = keyof M["replicated"]["Type"]

/** A new record: its replicated fields; the id may be left out. */
export type NewRow<M extends ModelClass> = Pick<M["create"]["Type"], keyof M["create"]["Type"] & Replicated<M>>

/** A merge patch (RFC 7396) of replicated fields. */
export type RowPatch<M extends ModelClass> = Pick<M["patch"]["Type"], keyof M["patch"]["Type"] & Replicated<M>>

/** Which records of a model, and how many. */
export interface ListOptions<M extends ModelClass> {
  /** Fields that equal these values, null being absent: one of them is the id, unique or indexed, so that no table is searched. Without it, all records. */
  readonly where?: Partial<M["replicated"]["Type"]>
  /** Only those after this id. */
  readonly after?: string
  /** From 1 to {@link listMax}. */
  readonly limit: number
}

/** Records that one list gives at most. */
export const listMax = 1_000

/** The transaction of the command that is being handled. */
export class Transaction extends Context.Service<
  Transaction,
  {
    readonly get: <M extends ModelClass>(model: M, id: string) => Effect.Effect<Row<M>, NotFound>
    readonly find: <M extends ModelClass>(model: M, id: string) => Effect.Effect<Option.Option<Row<M>>>
    /** In the order of the ids. */
    readonly list: <M extends ModelClass>(model: M, options: ListOptions<M>) => Effect.Effect<ReadonlyArray<Row<M>>>
    /** Without an id it is given a new one. */
    readonly create: <M extends ModelClass>(model: M, row: NewRow<M>) => Effect.Effect<Row<M>, OperationRefused>
    /** The whole record, which it replaces or creates. */
    readonly put: <M extends ModelClass>(
      model: M,
      row: M["replicated"]["Type"]
    ) => Effect.Effect<Row<M>, OperationRefused>
    readonly patch: <M extends ModelClass>(
      model: M,
      id: string,
      patch: RowPatch<M>
    ) => Effect.Effect<Row<M>, NotFound | OperationRefused>
    /** Gives the record as it last was. */
    readonly delete: <M extends ModelClass>(model: M, id: string) => Effect.Effect<Row<M>, NotFound | OperationRefused>
    /** A new id (UUIDv7), where several records are to know it. */
    readonly newId: Effect.Effect<string>
  }
>()("lithair/Command/Transaction") {}
