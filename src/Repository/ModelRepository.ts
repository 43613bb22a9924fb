/**
 * One model's records from a node's own code: typed by its class, with the rules and the guarantees of the HTTP API.
 * How many records share one log, and where each part of one is kept, is Records.ts.
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

/** A record, and the version to name where a change is to be of this very state. */
export interface Versioned<M extends RowClass> {
  readonly row: M["Type"]
  readonly version: number
  /** Of a change alone: the replicated part is done, but the local fields could not be written on this node. */
  readonly isLocalPartLost?: true
}

/** Records in the order that was asked for. */
export interface Page<M extends RowClass> {
  readonly items: ReadonlyArray<Versioned<M>>
  /** Give it as `after` to have the page that follows; undefined where none does. */
  readonly next: ReadonlyArray<OrderValue> | undefined
}

/** With a key, 1 to 255 visible ASCII characters, a change is done once, however often it is sent within a day. */
export interface ChangeOptions {
  readonly key?: string
}

/** `ifVersion` refuses the change of any other state than this: `VersionConflict`. */
export interface ConditionalOptions extends ChangeOptions {
  readonly ifVersion?: number
}

/**
 * The records of one model. A change fails with `Refused`, whose rejection says what was wrong and that nothing changed;
 * with `NotDone`, which is certain; or with `UnknownOutcome`. Reads are linearizable unless less is asked for.
 */
export interface ModelRepository<M extends RowClass> {
  readonly get: (
    id: string,
    consistency?: Freshness.Consistency
  ) => Effect.Effect<Option.Option<Versioned<M>>, Freshness.ReadFailure>
  readonly list: (
    options?: ListOptions.ListOptions<M>
  ) => Effect.Effect<Page<M>, Freshness.ReadFailure | ListOptions.InvalidValue>
  /** Without an id it is given a new one. */
  readonly create: (row: M["create"]["Type"], options?: ChangeOptions) => Effect.Effect<Versioned<M>, ChangeFailure>
  /** The whole record, which it replaces or creates. */
  readonly put: (
    id: string,
    row: M["put"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, ChangeFailure>
  /**
   * A merge patch (RFC 7396): null removes what may be absent, and what must be there and admits null is null then. A
   * struct or a record is merged into what is there; any other value takes its place.
   */
  readonly patch: (
    id: string,
    patch: M["patch"]["Type"],
    options?: ConditionalOptions
  ) => Effect.Effect<Versioned<M>, ChangeFailure>
  /** Gives the record as it last was. */
  readonly delete: (id: string, options?: ConditionalOptions) => Effect.Effect<Versioned<M>, ChangeFailure>
}

/**
 * The records of a model that this node serves.
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

  /** What does not decode was written by a version of the model that is not to be mixed with this one: a defect. */
  const versioned = ({ record, version }: Pick<Shown, "record" | "version">): Effect.Effect<Versioned<M>> =>
    Effect.map(Effect.orDie(Effect.fromResult(codecs.decode(record))), (row) => ({ row, version }))

  /** Refused as the machine would refuse it. */
  const encoded = (encode: Encode<EncodedRecord>, row: unknown): Effect.Effect<EncodedRecord, Refused> =>
    Effect.mapError(
      Effect.suspend(() => Effect.fromResult(encode(row))),
      (errors) => new Refused({ rejection: { _tag: "InvalidRequest", errors } })
    )

  const change = (operation: Operation, { key }: ChangeOptions = {}) => {
    // A schema encodes fields in one order: equal changes are equal texts.
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
      const { lastKey, rows } = list(source.value, request)
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
