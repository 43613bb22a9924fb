/**
 * The transaction of a handler, and the only service that a handler may require. It reads and changes decoded records
 * of replicated models. It sees its own changes; others see all of them, or none if it fails.
 *
 * Time and randomness belong to the transaction too, and are used as usual: `Clock` and `DateTime.now` give the time of
 * the entry, and `Random` is seeded for it.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"
import type { Caller } from "../Access/Caller.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Described, IdOf } from "../Model/Class.ts"
import type { RowClass } from "../Model/RowCodecs.ts"

/** No record has this id. If a handler passes the error on, the answer is 404 `not-found`. */
export class NotFound extends Data.TaggedError("NotFound")<{ readonly model: string; readonly id: string }> {
  override get message(): string {
    return `There is no ${this.model} ${this.id}`
  }
}

/**
 * An operation breaks a rule of its model: the id is in use, a unique value is taken, or the data does not fit.
 * `reason` says which. The operation changed nothing. If a handler passes the error on, the answer is the one for a
 * plain request of this kind.
 */
export class OperationRefused extends Data.TaggedError("OperationRefused")<{
  readonly model: string
  readonly reason: Rejection
}> {
  override get message(): string {
    return `An operation on ${this.model} was refused: ${this.reason._tag}`
  }
}

/** A model that a command can use: every model but local ones, since each node has its own records of those. */
export type ModelClass = RowClass & Described<"replicated" | "mixed">

/** A record: an instance of the model's class, without its local fields, since each node has its own. */
export type Row<M extends ModelClass> = M["Type"]

type Replicated<M extends ModelClass> = keyof M["replicated"]["Type"]

/** A new record: its replicated fields. The id is optional. */
export type NewRow<M extends ModelClass> = Pick<M["create"]["Type"], keyof M["create"]["Type"] & Replicated<M>>

/** A merge patch (RFC 7396) of replicated fields. */
export type RowPatch<M extends ModelClass> = Pick<M["patch"]["Type"], keyof M["patch"]["Type"] & Replicated<M>>

/** Which records of a model to list, and how many. */
export interface ListOptions<M extends ModelClass> {
  /**
   * The values that the records must have; null matches an absent one. One of the fields must be the id, unique or
   * indexed, so that no table is searched. Without `where`, all records match.
   */
  readonly where?: Partial<M["replicated"]["Type"]>
  /** Lists only records after this id. */
  readonly after?: IdOf<M>
  /** From 1 to {@link listMax}. */
  readonly limit: number
}

/** The most records that one list returns. */
export const listMax = 1_000

/** What a transaction does. */
export interface TransactionOf {
  readonly get: <M extends ModelClass>(model: M, id: IdOf<M>) => Effect.Effect<Row<M>, NotFound>
  readonly find: <M extends ModelClass>(model: M, id: IdOf<M>) => Effect.Effect<Option.Option<Row<M>>>
  /** In the order of the ids. */
  readonly list: <M extends ModelClass>(model: M, options: ListOptions<M>) => Effect.Effect<ReadonlyArray<Row<M>>>
  /** Without an id the record gets a new one. */
  readonly create: <M extends ModelClass>(model: M, row: NewRow<M>) => Effect.Effect<Row<M>, OperationRefused>
  /** Replaces or creates the whole record. */
  readonly put: <M extends ModelClass>(
    model: M,
    row: M["replicated"]["Type"]
  ) => Effect.Effect<Row<M>, OperationRefused>
  readonly patch: <M extends ModelClass>(
    model: M,
    id: IdOf<M>,
    patch: RowPatch<M>
  ) => Effect.Effect<Row<M>, NotFound | OperationRefused>
  /** Returns the record as it was. */
  readonly delete: <M extends ModelClass>(model: M, id: IdOf<M>) => Effect.Effect<Row<M>, NotFound | OperationRefused>
  /**
   * The same transaction as a caller has it: it finds only what the caller may read, and refuses what the caller may not
   * do. It changes fields of commands, as every handler does.
   */
  readonly as: (caller: Caller) => TransactionOf
  /** A new id (UUIDv7), for use in several records. */
  readonly newId: Effect.Effect<string>
}

/** The transaction of the command that is being handled. */
export class Transaction extends Context.Service<Transaction, TransactionOf>()("lithair/Command/Transaction") {}
