/**
 * The steps that bring records which an earlier version of a model stored into its present shape. They work on stored
 * JSON and run when a record is read, so stored data never changes by itself. Pure. docs/evolution.md.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { invariant } from "../Invariant.ts"
import type { EncodedRecord } from "./EncodedRecord.ts"

type Json = Schema.Json

/** The JSON of a record. A field whose schema has no JSON type of its own, as a date has none, may be any JSON. */
export type JsonOf<Encoded> = { readonly [K in keyof Encoded]: Encoded[K] extends Json | undefined ? Encoded[K] : Json }

/** The members of an object type, in one object. */
type Flat<A> = { readonly [K in keyof A]: A[K] }

/** Steps towards the next version. Each takes the record as the steps before it leave it. */
export interface Steps<Record> {
  /** Gives a field another name. */
  readonly rename: <const From extends keyof Record & string, const To extends string>(
    from: From,
    to: To
  ) => Steps<Flat<Omit<Record, From> & { readonly [K in keyof Record as K extends From ? To : never]: Record[K] }>>
  /** Removes a field. */
  readonly drop: <const Name extends keyof Record & string>(name: Name) => Steps<Flat<Omit<Record, Name>>>
  /** Gives all records a new field with this value. */
  readonly add: <const Name extends string, const Value extends Json>(
    name: Name,
    value: Value
  ) => Steps<Flat<Record & { readonly [K in Name]: Value }>>
  /** Makes another record of each. The function must be pure and total: nodes read the same records at other times. */
  readonly map: <Next extends object>(f: (record: Record) => Next) => Steps<Next>
  /** Ends the steps to a version of the model. More steps may follow, to the next version. */
  readonly to: (version: number) => Lift<Record> & Steps<Record>
}

/** All steps from the first version that is still stored, up to one that has the shape of `Record`. */
export interface Lift<Record> {
  /** Only for the compiler: the fields of the last version, and nothing but them. */
  readonly "~lithair/lift": { readonly record: () => Record; readonly names: () => keyof Record }
  readonly chain: Chain
}

/** The steps at run time. */
export interface Chain {
  readonly fromVersion: number
  /** The fields of the first version, as their release declared them. */
  readonly schema: Schema.Top
  /** By ascending version: what makes a record of this version one of the next. */
  readonly stages: ReadonlyArray<{
    readonly fromVersion: number
    readonly toVersion: number
    readonly steps: ReadonlyArray<Step>
  }>
}

interface Step {
  readonly name: string
  readonly run: (record: EncodedRecord) => EncodedRecord
}

/**
 * Begins a model's `lift` with the fields of the oldest version that may still be stored.
 *
 * @example
 * ```ts
 * import { Schema } from "effect"
 * import { Model } from "lithair"
 *
 * const Id = Schema.String.check(Schema.isUUID())
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Id),
 *   title: Model.replicate(Schema.NonEmptyString),
 *   cents: Model.replicate(Schema.Int),
 *   currency: Model.replicate(Schema.Literals(["EUR", "USD"]))
 * }, {
 *   version: 3,
 *   lift: Model.from(1, { id: Schema.String, name: Schema.String, price: Schema.String, sku: Schema.String })
 *     .rename("name", "title").drop("sku").to(2)
 *     .map(({ price, ...rest }) => ({ ...rest, cents: Math.round(Number(price) * 100) })).add("currency", "EUR").to(3)
 * }) {}
 * ```
 */
export const from = <const F extends Schema.Struct.Fields>(
  version: number,
  fields: F
): Steps<Flat<JsonOf<Schema.Struct.Encoded<F>>>> => {
  checkVersion(version)
  return stepsOf({ fromVersion: version, schema: Schema.Struct(fields), stages: [] }, []) as never
}

const checkVersion = (version: number): void =>
  invariant(Number.isSafeInteger(version) && version >= 1, "A version of a model is an integer from 1 on")

const stepsOf = (chain: Chain, steps: ReadonlyArray<Step>): Steps<EncodedRecord> => {
  const fromVersion = chain.stages.at(-1)?.toVersion ?? chain.fromVersion
  const and = (name: string, run: Step["run"]) => stepsOf(chain, [...steps, { name, run }])
  const made = {
    rename: (from: string, to: string) =>
      and(`rename ${from} ${to}`, (record) => {
        const { [from]: value, ...others } = record
        return value === undefined ? others : { ...others, [to]: value }
      }),
    drop: (name: string) => and(`drop ${name}`, ({ [name]: _, ...others }) => others),
    add: (name: string, value: Json) =>
      and(`add ${name} ${JSON.stringify(value)}`, (record) => ({ ...record, [name]: value })),
    map: (f: Step["run"]) => and(`map ${f}`, f),
    to: (toVersion: number) => {
      checkVersion(toVersion)
      invariant(
        toVersion > fromVersion,
        `Steps from version ${fromVersion} must lead to a later one, not to ${toVersion}`
      )
      const lifted: Chain = { ...chain, stages: [...chain.stages, { fromVersion, toVersion, steps }] }
      return Object.assign(stepsOf(lifted, []), { chain: lifted })
    }
  }
  return made as unknown as Steps<EncodedRecord>
}

/** The version that the steps lead to. */
export const toVersion = ({ fromVersion, stages }: Chain): number => stages.at(-1)?.toVersion ?? fromVersion

/** Lifts a record from the version that stored it, or says why it cannot. A step may throw: its error may hold any data. */
export const lift = (
  { fromVersion, stages }: Chain,
  stored: { readonly modelVersion: number; readonly data: EncodedRecord }
): Result.Result<EncodedRecord, string> => {
  const { modelVersion } = stored
  const first = stages.findIndex((stage) => stage.fromVersion === modelVersion)
  if (first === -1) {
    return Result.fail(
      modelVersion < fromVersion
        ? `Stored in version ${modelVersion} of the model, and its lift begins at version ${fromVersion}`
        : `Stored in version ${modelVersion} of the model, which its lift does not know`
    )
  }
  let record = stored.data
  for (const { steps, toVersion } of stages.slice(first)) {
    for (const { name, run } of steps) {
      const [verb = ""] = name.split(" ", 1)
      const next = Result.try({
        try: () => run(record),
        catch: () => `The step ${verb} to version ${toVersion} failed`
      })
      if (Result.isFailure(next)) return next
      if (!isRecord(next.success)) return Result.fail(`The step ${verb} to version ${toVersion} made no record`)
      record = next.success
    }
  }
  return Result.succeed(record)
}

const isRecord = (value: unknown): value is EncodedRecord =>
  typeof value === "object" && value !== null && !Array.isArray(value)
