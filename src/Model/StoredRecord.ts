/**
 * How this release reads records that any release has stored. Every reader of a stored record goes through here, so a
 * default is the same in an answer, a filter, an index and a command. Pure. docs/evolution.md.
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { EncodedRecord } from "./EncodedRecord.ts"
import { errorsOf, type FieldError } from "./FieldError.ts"
import { type Chain, lift } from "./Lift.ts"
import { plainJson } from "./PlainJson.ts"
import { type Structure, structureOf } from "./Structure.ts"

/** A record as some release stored it. */
export interface StoredRecord {
  /** The version of the model's shape that `data` has. */
  readonly modelVersion: number
  readonly data: EncodedRecord
}

/** A stored record as this release reads it. */
export interface ReadRecord {
  /** The stored data in this release's version, with the fields that this release does not know. */
  readonly kept: EncodedRecord
  /** The fields that this release knows, with its defaults. */
  readonly shown: EncodedRecord
}

/** Reads a stored record, or returns what is wrong with it. Reading the same record again returns the same result. */
export type ReadStored = (stored: StoredRecord) => Result.Result<ReadRecord, ReadonlyArray<FieldError>>

/** The readers of a model. */
export interface Readers {
  /** Reads a record as its log holds it. It trusts the values of a record that has all fields of this version. */
  readonly record: ReadStored
  /** The same, but it checks every value: stored data may be older than a check of the schema. */
  readonly recordWhole: ReadStored
  /** Reads the local part of a mixed record. */
  readonly localPart: ReadStored
  /** Whether the model has steps for local parts of earlier versions. */
  readonly liftsLocalPart: boolean
}

/** Makes the readers of a model. */
export const readersOf = (options: {
  readonly version: number
  /** The record that the log keeps, and the local part of a mixed one. */
  readonly record: Schema.Top
  readonly localPart: Schema.Top
  /** Without steps, a record of an earlier version is read as if it had this one. So is a part. */
  readonly lift?: Chain | undefined
  readonly liftLocal?: Chain | undefined
}): Readers => {
  const { version } = options
  const record = readerOf(version, options.record, options.lift)
  const localPart = readerOf(version, options.localPart, options.liftLocal)
  return {
    record: record.read,
    recordWhole: record.readWhole,
    localPart: localPart.read,
    liftsLocalPart: options.liftLocal !== undefined
  }
}

/** Reads what is stored of one schema: whole records, or local parts. */
const readerOf = (
  version: number,
  schema: Schema.Top,
  chain: Chain | undefined
): { readonly read: ReadStored; readonly readWhole: ReadStored } => {
  const show = knownFieldsOf(schema)
  /** Two readings of one record must be equal, also if a step of the application is not a function. */
  const known = new WeakMap<EncodedRecord, ReturnType<ReadStored>>()

  const read = (stored: StoredRecord): ReturnType<ReadStored> => {
    if (stored.modelVersion > version) {
      // A later version may differ in its rules only. A release that cannot read a record does not decide on it either.
      const newer = `Stored in version ${stored.modelVersion} of the model, and this release knows version ${version}`
      return Result.orElse(show(stored.data), () => wrong(newer))
    }
    if (stored.modelVersion === version || chain === undefined) return show(stored.data)
    const lifted = lift(chain, stored)
    if (Result.isFailure(lifted)) return wrong(lifted.failure)
    return Result.flatMap(plainJson(lifted.success), (kept) => show(kept as EncodedRecord))
  }

  return {
    read: (stored) => {
      if (stored.modelVersion === version && show.isAsStored(stored.data)) return asStored(stored.data)
      const found = known.get(stored.data) ?? read(stored)
      known.set(stored.data, found)
      return found
    },
    readWhole: (stored) => known.get(stored.data) ?? read(stored)
  }
}

const asStored = (data: EncodedRecord): ReturnType<ReadStored> => Result.succeed({ kept: data, shown: data })

/** Reads the fields that a schema knows. It is compiled when a record first needs it. */
const knownFieldsOf = (schema: Schema.Top) => {
  const codec = Schema.toCodecJson(schema) as unknown as Schema.Codec<unknown, EncodedRecord>
  const decode = Schema.decodeUnknownResult(codec, { errors: "all", onExcessProperty: "ignore" })
  const encode = Schema.encodeUnknownResult(codec)
  let structure: Structure | undefined
  const show = (kept: EncodedRecord): ReturnType<ReadStored> => {
    const read = Result.try({ try: () => Result.flatMap(decode(kept), encode), catch: () => failed })
    if (Result.isFailure(read)) return Result.fail(read.failure)
    if (Result.isFailure(read.success)) return Result.fail(errorsOf(read.success.failure.issue))
    return Result.map(plainJson(read.success.success), (shown) => ({ kept, shown: shown as EncodedRecord }))
  }
  return Object.assign(show, {
    /** Whether reading would change nothing. */
    isAsStored: (data: EncodedRecord): boolean => {
      structure ??= structureOf(codec.ast)
      return structure(data)
    }
  })
}

const wrong = (message: string): Result.Result<never, ReadonlyArray<FieldError>> => Result.fail([{ path: "", message }])

/** Reads a record of a model that this release does not have. */
export const readAsStored: Readers = {
  record: ({ data }) => asStored(data),
  recordWhole: ({ data }) => asStored(data),
  localPart: ({ data }) => asStored(data),
  liftsLocalPart: false
}

const failed: ReadonlyArray<FieldError> = [{ path: "", message: "A schema of the model failed on this" }]

/**
 * The record to store after a change: the new fields, and what the former record had that this release does not know.
 * So a release that knows less loses nothing of what another one wrote.
 */
export const withUnknown = ({ kept, shown }: ReadRecord, next: EncodedRecord): EncodedRecord =>
  kept === shown ? next : (carry(kept, shown, next) as EncodedRecord)

type Json = Schema.Json

const carry = (kept: Json, shown: Json, next: Json): Json => {
  if (!isObject(kept) || !isObject(shown) || !isObject(next)) return next
  const members = new Map(Object.entries(next))
  for (const [key, value] of Object.entries(kept)) {
    if (!Object.hasOwn(shown, key)) {
      if (!members.has(key)) members.set(key, value)
    } else if (members.has(key)) members.set(key, carry(value, shown[key]!, members.get(key)!))
  }
  return Object.fromEntries(members)
}

const isObject = (json: Json): json is { readonly [key: string]: Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json)
