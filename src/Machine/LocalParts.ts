/**
 * The local part of a mixed record: fields that only this node holds, in its own log. Pure. D4. A part appears only on
 * the record that it was written for, known by the index of its creation. So if this node learns late of a deletion or
 * a re-creation, one record's part never appears on another.
 */
import { Result } from "effect"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { errorsOfMerge, mergePatch } from "../Model/MergePatch.ts"
import { type ReadStored, withUnknown } from "../Model/StoredRecord.ts"
import type { Keyed, Origin } from "./Command.ts"
import type { Erasures } from "./Erasure.ts"
import * as Format from "./Format.ts"
import { isEqual, isRecord, isTooDeep } from "./Json.ts"
import { type LocalPart, type LocalPartSet, storedPart } from "./LocalPart.ts"
import { unreadable } from "./ReadRow.ts"
import type { Rejection } from "./Rejection.ts"
import * as Rows from "./Rows.ts"
import type { Table } from "./Table.ts"
import type { Tables } from "./Tables.ts"
import { type Entry, encode, entryBytesMax, type Transaction } from "./Transaction.ts"

/** A request for a part. The replicated log names the record once its change is committed. */
export interface LocalPartRequest {
  readonly id: string
  readonly createdIndex: number
  readonly version: number
  /** `put` clears what it omits, on this node only; `patch` merges (RFC 7396). */
  readonly how: "put" | "patch"
  readonly data: unknown
  /** The request is late: it is refused if a part for this version of the record, or a later one, was written here. */
  readonly isLate?: boolean
}

/** Parts that are set together or not at all, each after those before it. */
export interface LocalPartsRequest {
  readonly parts: ReadonlyArray<{ readonly descriptor: Descriptor; readonly request: LocalPartRequest }>
  /** Parts to store in this release's version of their model, if they are in an earlier one that it can read. */
  readonly lifts?: ReadonlyArray<{ readonly descriptor: Descriptor; readonly id: string }>
  /** The key that their entry remembers. */
  readonly origin?: Origin
  /** Whether a record was erased since it was created: it gets no part any more. */
  readonly isErased?: (record: {
    readonly model: string
    readonly id: string
    readonly createdIndex: number
  }) => boolean
}

/**
 * The entry that sets parts, undefined if it would change nothing and no key must remember that. `parts` are those that
 * the records then show, undefined for a record whose id a later record has, or that was erased.
 */
export interface LocalPartsSet {
  readonly entry: Entry | undefined
  readonly parts: ReadonlyArray<LocalPart | undefined>
}

/**
 * The key by which this node remembers that it has kept its parts of a request. The replicated log remembers the request
 * itself. No client's key has a space, and no node assigns one that does.
 */
export const noteOf = ({ key, principal }: Keyed): Keyed => ({
  key: `part ${key}`,
  ...(principal === undefined ? {} : { principal })
})

/** Splits a request's data: its local fields, and all others for `decide` to check, unknown ones included. */
export const split = (
  descriptor: Descriptor,
  data: EncodedRecord
): { readonly replicated: EncodedRecord; readonly local: EncodedRecord } => {
  const isLocal = ([field]: readonly [string, unknown]) => descriptor.localFields.includes(field)
  const fields = Object.entries(data)
  return {
    replicated: Object.fromEntries(fields.filter((field) => !isLocal(field))),
    local: Object.fromEntries(fields.filter(isLocal))
  }
}

/** The part that belongs to a record; a part of an earlier or later record under the same id is invisible. */
export const visible = (
  tables: Tables,
  record: { readonly model: string; readonly id: string; readonly createdIndex: number }
): LocalPart | undefined => {
  const part = tables.byModel.get(record.model)?.localParts.get(record.id)
  return part?.createdIndex === record.createdIndex ? part : undefined
}

/** The local fields that a part shows: none if this release cannot read it. */
export const shownPart = ({ read }: Pick<Descriptor, "read">, part: LocalPart | undefined): EncodedRecord =>
  part === undefined
    ? {}
    : Result.match(read.localPart(storedPart(part)), { onSuccess: ({ shown }) => shown, onFailure: () => ({}) })

/** The log keeps the id of the caller, and nothing else of it. */
const withoutCaller = ({ caller: _, ...origin }: Origin = {}): Origin => origin

/** Decides the entry of the node's own log that sets parts of records whose replicated change is committed. */
export const decideLocalParts = (
  tables: Tables,
  { isErased, lifts = [], origin, parts }: LocalPartsRequest,
  at: { readonly nowMs: number; readonly logAgeMs: number }
): Result.Result<LocalPartsSet, Rejection> => {
  const localParts: Array<LocalPartSet> = []
  const shown: Array<LocalPart | undefined> = []
  /** By record, its part after the requests before. */
  const ahead = new Map<string, LocalPart>()
  for (const { descriptor, request } of parts) {
    const { createdIndex, id, version } = request
    const model = descriptor.name
    if (isErased?.({ model, id, createdIndex }) === true) {
      shown.push(undefined)
      continue
    }
    const name = JSON.stringify([model, id])
    const before = tables.byModel.get(model)?.localParts.get(id)
    if (request.isLate === true && before?.createdIndex === createdIndex && before.version >= version) {
      return Result.fail({ _tag: "VersionConflict", currentVersion: before.version })
    }
    const held = ahead.get(name) ?? before
    const own = held?.createdIndex === createdIndex ? held : undefined
    const decided = dataOf(descriptor, request, own)
    if (Result.isFailure(decided)) return Result.fail(decided.failure)
    const data = decided.success
    const set: LocalPartSet = { model, id, createdIndex, version, ...versionOf(tables, descriptor), data }
    if (isStored(descriptor, set, own)) {
      shown.push(own)
      continue
    }
    const after = partAfter(held, set)
    localParts.push(set)
    ahead.set(name, after)
    shown.push(after.createdIndex === createdIndex ? after : undefined)
  }
  for (const { descriptor, id } of lifts) {
    localParts.push(...liftOf(tables, descriptor, id).filter((part) => isErased?.(part) !== true))
  }
  if (localParts.length === 0 && origin?.key === undefined) return Result.succeed({ entry: undefined, parts: shown })
  const transaction: Transaction = {
    timeMs: Math.max(tables.lastTimeMs, at.nowMs),
    logAgeMs: Math.max(tables.logAgeMs, at.logAgeMs),
    ...withoutCaller(origin),
    command: "LocalPart",
    events: [],
    localParts,
    outcome: { _tag: "Accepted" },
    ...formatOf(tables, localParts)
  }
  const payload = encode(transaction)
  return payload.length > entryBytesMax
    ? Result.fail({ _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
    : Result.succeed({ entry: { transaction, payload }, parts: shown })
}

/**
 * Whether a new part states its version. The format of the log must know it. A model whose parts have steps needs it from the
 * first such part on: no release without this format can have the steps, so none is meant to read that part.
 */
export const statesVersion = (tables: Tables, { read, version }: Descriptor): boolean =>
  version > 1 && (read.liftsLocalPart || Format.isFormatActive(tables, Format.versionedParts))

const versionOf = (tables: Tables, descriptor: Descriptor): { readonly modelVersion?: number } =>
  statesVersion(tables, descriptor) ? { modelVersion: descriptor.version } : {}

/** Whether a part would be as it is. The same data in an earlier version means something else to a model with steps. */
const isStored = ({ read }: Descriptor, set: LocalPartSet, own: LocalPart | undefined): boolean => {
  const isSame = isEqual(set.data, own?.data ?? {})
  if (own === undefined || !read.liftsLocalPart) return isSame
  return isSame && storedPart(own).modelVersion === storedPart(set).modelVersion
}

/** The format that an entry with these parts makes active. */
const formatOf = (tables: Tables, parts: ReadonlyArray<LocalPartSet>): { readonly format?: number } =>
  parts.every(({ modelVersion }) => modelVersion === undefined) || Format.isFormatActive(tables, Format.versionedParts)
    ? {}
    : { format: Format.versionedParts }

/** The entry's set that stores a part anew, if it is in an earlier version and can be read. */
const liftOf = (tables: Tables, descriptor: Descriptor, id: string): ReadonlyArray<LocalPartSet> => {
  const { name: model, read } = descriptor
  const part = tables.byModel.get(model)?.localParts.get(id)
  const { modelVersion } = versionOf(tables, descriptor)
  if (part === undefined || modelVersion === undefined || storedPart(part).modelVersion >= modelVersion) return []
  const { createdIndex, version } = part
  return Result.match(read.localPart(storedPart(part)), {
    onFailure: () => [],
    onSuccess: ({ kept: data }) => [{ model, id, createdIndex, version, modelVersion, data, isLifted: true }]
  })
}

/** The local fields of a record after a request. */
const dataOf = (
  descriptor: Descriptor,
  { data, how, id }: LocalPartRequest,
  own: LocalPart | undefined
): Result.Result<EncodedRecord, Rejection> => {
  if (!isRecord(data) || isTooDeep(data)) {
    const errors = [{ path: "", message: "Expected an object of bounded depth" }]
    return Result.fail({ _tag: "InvalidRequest", errors })
  }
  const held = own === undefined ? nothing : descriptor.read.localPart(storedPart(own))
  if (Result.isFailure(held) && how === "patch") {
    return Result.fail(unreadable({ model: descriptor.name, id })(held.failure))
  }
  const former = Result.getOrElse(held, () => ({ kept: {}, shown: {} }))
  const merged =
    how === "put" ? data : (mergePatch(former.shown, data, descriptor.mergeShapes.localPart) as EncodedRecord)
  const checked = descriptor.codecs.localPart({ ...merged, [descriptor.idField]: id })
  return Result.isFailure(checked)
    ? Result.fail({ _tag: "InvalidRequest", errors: errorsOfMerge({ patch: data, merged }, checked.failure) })
    : Result.succeed(withUnknown(former, split(descriptor, checked.success).local))
}

const nothing: ReturnType<ReadStored> = Result.succeed({ kept: {}, shown: {} })

/** Applies a part, for `evolve`. */
export const setLocalPart = (table: Table, set: LocalPartSet): void => {
  const held = table.localParts.get(set.id)
  // A part that is forgotten meanwhile does not come back.
  if (set.isLifted !== true || held !== undefined) Rows.putPart(table, set.id, partAfter(held, set))
}

/** The record that was created later wins, then the higher version, in whatever order they come. */
const partAfter = (
  held: LocalPart | undefined,
  { createdIndex, data, isLifted, modelVersion, version }: LocalPartSet
): LocalPart => {
  const stored = { ...(modelVersion === undefined ? {} : { modelVersion }), data }
  if (isLifted === true && held !== undefined) {
    const isThat = held.createdIndex === createdIndex && held.version === version
    return isThat ? { createdIndex, version, revision: held.revision, ...stored } : held
  }
  if (held !== undefined && held.createdIndex > createdIndex) return held
  const same = held?.createdIndex === createdIndex ? held : undefined
  if (same !== undefined && same.version > version) return same
  return { createdIndex, version, revision: (same?.revision ?? 0) + 1, ...stored }
}

/** Forgets the parts of records that were erased. No record shows them any more. */
export const forgetErased = (tables: Tables, { erasedOf }: Erasures): void => {
  for (const [model, table] of tables.byModel) {
    if (table.localParts.size === 0) continue
    for (const [id, index] of erasedOf(model)) {
      if ((table.localParts.get(id)?.createdIndex ?? index) < index) Rows.removePart(table, id)
    }
  }
}

/** The part after which {@link collect} continues. */
export interface PartPosition {
  readonly model: string
  readonly id: string
}

/**
 * Looks at the next `maxCount` parts after `from`, and forgets those whose records are gone for good. It returns where to
 * continue, undefined at the end. No record shows a forgotten part, so no log has to say that it is forgotten.
 */
export const collect = (
  tables: Tables,
  replicated: Tables,
  options: { readonly from: PartPosition | undefined; readonly maxCount: number }
): PartPosition | undefined => {
  const { from, maxCount } = options
  let count = 0
  for (const model of [...tables.byModel.keys()].sort()) {
    if (from !== undefined && model < from.model) continue
    const table = tables.byModel.get(model)!
    const { localParts } = table
    const gone: Array<string> = []
    let stoppedAt: string | undefined
    for (const [id, part] of localParts.entries(from?.model === model ? from.id : undefined)) {
      if (from?.model === model && id === from.id) continue
      if (count >= maxCount) break
      count++
      stoppedAt = id
      // A part may be ahead of the replicated tables: its record is committed, but not applied here yet.
      const row = replicated.byModel.get(model)?.rows.get(id)
      if (part.createdIndex <= replicated.index && row?.createdIndex !== part.createdIndex) gone.push(id)
    }
    for (const id of gone) Rows.removePart(table, id)
    if (count >= maxCount && stoppedAt !== undefined) return { model, id: stoppedAt }
  }
  return undefined
}
