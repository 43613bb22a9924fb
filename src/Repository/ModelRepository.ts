/**
 * One model's records for a node's own code: typed by the model's class, with the rules and guarantees of the HTTP API.
 * Records.ts knows which log keeps each part of a record.
 */
import { Effect, Option } from "effect"
import type { Operation } from "../Machine/Command.ts"
import { list } from "../Machine/List.ts"
import type { OrderValue } from "../Machine/Order.ts"
import type { EncodedRecord } from "../Model/Descriptor.ts"
import type { Encode } from "../Model/JsonEncoder.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import { codecsOf } from "../Model/RowCodecs.ts"
import { type ChangeFailure, Refused, type Shown } from "./Changed.ts"
import type * as Freshness from "./Freshness.ts"
import * as ListOptions from "./ListOptions.ts"
import { ownOrigin } from "./OwnOrigin.ts"
import { Records } from "./Records.ts"
import { RecordUnreadable } from "./RecordUnreadable.ts"

/** A record and its version. Give the version as `ifVersion` to change only this state. */
export interface Versioned<M extends RowClass> {
  readonly row: M["Type"]
  readonly version: number
  /** Only of a change: the replicated part is done, but this node could not write the local fields. */
  readonly isLocalPartLost?: true
}

/** One page of a list. */
export interface Page<M extends RowClass> {
  readonly items: ReadonlyArray<Versioned<M>>
  /** Give it as `after` to get the next page; undefined on the last one. */
  readonly next: ReadonlyArray<OrderValue> | undefined
}

/** With a key, 1 to 255 visible ASCII characters, a change is done once, however often it is sent within a day. */
export interface ChangeOptions {
  readonly key?: string
}

/** Options of a conditional change. If the record is not at `ifVersion`, the change is refused with `VersionConflict`. */
export interface ConditionalOptions extends ChangeOptions {
  readonly ifVersion?: number
}

/**
 * The records of one model. A change fails with `Refused` or `NotDone` if it is certainly not done, and with
 * `UnknownOutcome` if it may be done. Reads are linearizable by default.
 */
export interface ModelRepository<M extends RowClass> {
  readonly get: (
    id: string,
    consistency?: Freshness.Consistency
  ) => Effect.Effect<Option.Option<Versioned<M>>, Freshness.ReadFailure | RecordUnreadable>
  readonly list: (
    options?: ListOptions.ListOptions<M>
  ) => Effect.Effect<Page<M>, Freshness.ReadFailure | RecordUnreadable | ListOptions.InvalidValue>
  /** Creates a record. The cluster generates an id if the record has none. */
  readonly create: (row: M["create"]["Type"], options?: ChangeOptions) => Effect.Effect<Versioned<M>, ChangeFailure>
  /** Replaces or creates the whole record. */
  readonly put: (
    id: string,
    row: M["put"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, ChangeFailure>
  /**
   * Applies a merge patch (RFC 7396). Null removes an optional field, and sets a required field to null if it allows
   * null. A struct or a record is merged into the old value; any other value replaces it.
   */
  readonly patch: (
    id: string,
    patch: M["patch"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, ChangeFailure>
  /** Deletes a record and returns its last state. */
  readonly delete: (id: string, options?: ConditionalOptions) => Effect.Effect<Versioned<M>, ChangeFailure>
}

/**
 * Gives the records of a model that this node serves.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Model, Repository } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String),
 *   name: Schema.NonEmptyString.pipe(Model.replicate),
 *   stock: Schema.Int
 * }) {}
 *
 * const restock = Effect.fnUntraced(function* (id: string, count: number) {
 *   const products = yield* Repository.make(Product)
 *   const { row, version } = yield* Effect.flatMap(products.get(id), Effect.fromOption)
 *   return yield* products.patch(id, { stock: row.stock + count }, { ifVersion: version })
 * })
 * ```
 */
export const make = <M extends RowClass>(model: M): Effect.Effect<ModelRepository<M>, never, Records> =>
  Effect.map(Records, (records) => over(records, model))

const over = <M extends RowClass>(records: Records["Service"], model: M): ModelRepository<M> => {
  const codecs = codecsOf(model)
  const { descriptor } = codecs
  const { name } = descriptor

  /** A record that does not decode comes from an incompatible version of the model: a defect. */
  const versioned = ({ record, version }: Pick<Shown, "record" | "version">): Effect.Effect<Versioned<M>> =>
    Effect.map(Effect.orDie(Effect.fromResult(codecs.decode(record))), (row) => ({ row, version }))

  /** Refuses the row as the machine would. */
  const encoded = (encode: Encode<EncodedRecord>, row: unknown): Effect.Effect<EncodedRecord, Refused> =>
    Effect.mapError(
      Effect.suspend(() => Effect.fromResult(encode(row))),
      (errors) => new Refused({ rejection: { _tag: "InvalidRequest", errors } })
    )

  const change = (operation: Operation, { key }: ChangeOptions = {}) => {
    // A schema encodes fields in a fixed order, so equal changes give equal texts.
    return ownOrigin(JSON.stringify(operation), key).pipe(
      Effect.flatMap((origin) => records.change(descriptor, { ...operation, ...origin })),
      Effect.flatMap((changed) =>
        Effect.map(
          versioned(changed),
          (done): Versioned<M> => (changed.isLocalPartLost ? { ...done, isLocalPartLost: true } : done)
        )
      )
    )
  }

  return {
    get: (id, consistency) =>
      Effect.flatMap(records.get(descriptor, id, consistency), ({ value }) =>
        value === undefined ? Effect.succeedNone : Effect.map(versioned(value), Option.some)
      ),
    list: Effect.fnUntraced(function* (options = {}) {
      const request = yield* ListOptions.requestOf(codecs, options)
      const source = yield* records.source(descriptor, options.consistency)
      const { lastKey, rows } = yield* Effect.mapError(
        Effect.fromResult(list(source.value, request)),
        (row) => new RecordUnreadable({ model: name, ...row })
      )
      const items = yield* Effect.forEach(rows, ({ record, row }) => versioned({ record, version: row.version }))
      return { items, next: lastKey }
    }),
    create: (row, options) =>
      Effect.flatMap(encoded(codecs.encodeNew, row), (data) => change({ _tag: "Create", model: name, data }, options)),
    put: (id, row, options) =>
      Effect.flatMap(encoded(codecs.encodeWhole, row), (data) =>
        change({ _tag: "Put", model: name, id, data, ...conditionOf(options) }, options)
      ),
    patch: (id, patch, options) =>
      Effect.flatMap(encoded(codecs.encodePatch, patch), (data) =>
        change({ _tag: "Patch", model: name, id, data, ...conditionOf(options) }, options)
      ),
    delete: (id, options) => change({ _tag: "Delete", model: name, id, ...conditionOf(options) }, options)
  }
}

const conditionOf = ({ ifVersion }: ConditionalOptions = {}): { readonly ifMatch?: ReadonlyArray<number> } =>
  ifVersion === undefined ? {} : { ifMatch: [ifVersion] }
