/** The payload of one entry: one transaction, one outcome. Pure. One byte with its format, then UTF-8 JSON. D6. */
import { Result, type Schema } from "effect"
import type { OperationAnswer } from "./Answer.ts"
import type { Event, Lifted } from "./Event.ts"
import * as Format from "./Format.ts"
import { isRecord } from "./Json.ts"
import { isLimits, type Limits } from "./Limits.ts"
import type { LocalPartSet } from "./LocalPart.ts"
import type { Rejection } from "./Rejection.ts"

/** The bounds of one entry. */
export const entryBytesMax = 8 * 1024 * 1024
export const entryEventsMax = 10_000

/** The outcome of a command. A rejection becomes an entry only if a key must remember it. */
export type Outcome =
  | {
      readonly _tag: "Accepted"
      /** If a key remembers the answer: the operations without an event, by their position among all. */
      readonly unchanged?: ReadonlyArray<{ readonly position: number; readonly answer: OperationAnswer }>
      /** If a key remembers the answer of a declared command: its success. */
      readonly value?: Schema.Json
      /** Present if the success held data that was erased: then there is no value. */
      readonly erased?: true
    }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }

/** A decided command. */
export interface Transaction {
  readonly timeMs: number
  /** The age of the log when this was decided (LogAge.ts). */
  readonly logAgeMs: number
  readonly principal?: string
  readonly key?: string
  readonly fingerprint?: string
  /** Present instead of `key` if the client gave none (AssignedKey.ts). */
  readonly assignedKey?: string
  readonly command: string
  readonly events: ReadonlyArray<Event>
  /** Only in a node's own log: the local parts of records in the replicated log (D4). */
  readonly localParts?: ReadonlyArray<LocalPartSet>
  readonly outcome: Outcome
  /** The limits in force from this entry on, if a leader writes those of its release (Limits.ts). */
  readonly limits?: Limits
  /** By model: the version that is active from this entry on. */
  readonly activated?: Readonly<Record<string, number>>
  /** Records that are stored in another version from this entry on. */
  readonly lifted?: ReadonlyArray<Lifted>
  /** Models that end with this entry. */
  readonly ended?: ReadonlyArray<string>
  /** Records, deleted ones too, of models that have ended, which are forgotten without an event. */
  readonly forgotten?: { readonly model: string; readonly ids: ReadonlyArray<string> }
  /** The first entry of the history that nodes retain from this entry on. */
  readonly retainedFrom?: number
  /** Records whose data in all entries before this one is erased (Erasure.ts). */
  readonly erased?: ReadonlyArray<{ readonly model: string; readonly id: string }>
  /** The entries whose remembered outcomes hold data of those records, ascending: the outcomes are forgotten. */
  readonly erasedOutcomes?: ReadonlyArray<number>
  /** Present if a chain of digests begins with this entry (Evidence.ts). */
  readonly evidence?: "begins"
  /** The digest of the chain before this entry, and a salt, as long as there is a chain. */
  readonly previous?: string
  readonly salt?: string
  /** The inner hash of the payload that this entry had before data of it was erased. */
  readonly inner?: string
  /** Present if data of this entry was erased since: the events, answers and outcomes in question say so. */
  readonly blanked?: true
  /** The format that is active from this entry on (Format.ts). */
  readonly format?: number
}

/** An entry to append: `payload` is the encoded transaction. */
export interface Entry {
  readonly transaction: Transaction
  readonly payload: Uint8Array
}

const utf8 = new TextDecoder("utf-8", { fatal: true })

/** The least format that knows all that a transaction holds. A release that does not know it must not apply the entry. */
const formatOf = (transaction: Transaction): number => {
  const { blanked, ended, erased, evidence, forgotten, format, lifted, localParts, previous, retainedFrom } =
    transaction
  if (format !== undefined) return format
  if (localParts?.some(({ modelVersion }) => modelVersion !== undefined)) return Format.versionedParts
  if (erased !== undefined || blanked === true) return Format.erasing
  if (evidence !== undefined || previous !== undefined) return Format.proving
  if (lifted !== undefined || ended !== undefined || forgotten !== undefined) return Format.lifting
  return retainedFrom === undefined ? Format.initial : Format.retaining
}

/**
 * Encodes a transaction as a payload. In UTF-8 the first character is the byte with the format. `eventTexts` are the JSON
 * texts of its events, if there are any already.
 */
export const encode = (transaction: Transaction, eventTexts?: ReadonlyArray<string>): Uint8Array =>
  Buffer.from(
    String.fromCharCode(formatOf(transaction)) +
      (eventTexts === undefined ? JSON.stringify(transaction) : join(transaction, eventTexts)),
    "utf8"
  )

const noEvents = '"events":[]'

/**
 * The JSON text of a transaction, around the texts of its events. The members before the events are texts and numbers,
 * and a text has no unescaped quotation mark: so the first match is the member.
 */
const join = (transaction: Transaction, eventTexts: ReadonlyArray<string>): string => {
  const around = JSON.stringify({ ...transaction, events: [] })
  const at = around.indexOf(noEvents) + noEvents.length - 1
  return `${around.slice(0, at)}${eventTexts.join(",")}${around.slice(at)}`
}

/** Decodes a payload, or returns what is wrong with it. Never throws, whatever the bytes. */
export const decode = (payload: Uint8Array): Result.Result<Transaction, string> => {
  const [format] = payload
  if (format === undefined || format < Format.initial || format > Format.newest) {
    return Result.fail(`Cannot read payload: format ${format ?? "absent"}, expected one up to ${Format.newest}`)
  }
  return Result.flatMap(
    Result.try({
      try: (): unknown => JSON.parse(utf8.decode(payload.subarray(1))),
      catch: () => "Cannot read payload: not JSON in UTF-8"
    }),
    (json) =>
      isTransaction(json) ? Result.succeed(json) : Result.fail("Cannot read payload: not the shape of a transaction")
  )
}

const isTransaction = (json: unknown): json is Transaction =>
  isRecord(json) &&
  Number.isSafeInteger(json.timeMs) &&
  Number.isSafeInteger(json.logAgeMs) &&
  typeof json.command === "string" &&
  isAbsentOrText(json.principal) &&
  isAbsentOrText(json.key) &&
  isAbsentOrText(json.fingerprint) &&
  isAbsentOrText(json.assignedKey) &&
  isAbsentOrText(json.evidence) &&
  isAbsentOrText(json.previous) &&
  isAbsentOrText(json.salt) &&
  isAbsentOrText(json.inner) &&
  isOutcome(json.outcome) &&
  Array.isArray(json.events) &&
  json.events.every(isEvent) &&
  (json.localParts === undefined || (Array.isArray(json.localParts) && json.localParts.every(isLocalPartSet))) &&
  (json.limits === undefined || isLimits(json.limits)) &&
  (json.activated === undefined ||
    (isRecord(json.activated) && Object.values(json.activated).every(Number.isSafeInteger))) &&
  (json.lifted === undefined || (Array.isArray(json.lifted) && json.lifted.every(isLifted))) &&
  (json.ended === undefined || isTexts(json.ended)) &&
  (json.forgotten === undefined ||
    (isRecord(json.forgotten) && typeof json.forgotten.model === "string" && isTexts(json.forgotten.ids))) &&
  (json.erased === undefined || (Array.isArray(json.erased) && json.erased.every(isNamed))) &&
  (json.erasedOutcomes === undefined ||
    (Array.isArray(json.erasedOutcomes) && json.erasedOutcomes.every(Number.isSafeInteger))) &&
  (json.retainedFrom === undefined || Number.isSafeInteger(json.retainedFrom)) &&
  (json.format === undefined || Number.isSafeInteger(json.format))

const isNamed = (json: unknown): boolean =>
  isRecord(json) && typeof json.model === "string" && typeof json.id === "string"

const isTexts = (json: unknown): boolean => Array.isArray(json) && json.every((each) => typeof each === "string")

const isAbsentOrText = (json: unknown): boolean => json === undefined || typeof json === "string"

const isOutcome = (json: unknown): boolean =>
  isRecord(json) &&
  ((json._tag === "Accepted" &&
    (json.unchanged === undefined || (Array.isArray(json.unchanged) && json.unchanged.every(isUnchanged)))) ||
    (json._tag === "Rejected" && isRecord(json.rejection) && typeof json.rejection._tag === "string"))

const isUnchanged = (json: unknown): boolean =>
  isRecord(json) && Number.isSafeInteger(json.position) && isRecord(json.answer)

const isEvent = (json: unknown): boolean =>
  isLifted(json) &&
  (json.type === "created" || json.type === "updated" || json.type === "deleted") &&
  Number.isSafeInteger(json.version) &&
  Number.isSafeInteger(json.previousIndex)

const isLifted = (json: unknown): json is { readonly [key: string]: unknown } =>
  isRecord(json) &&
  typeof json.model === "string" &&
  typeof json.id === "string" &&
  Number.isSafeInteger(json.modelVersion) &&
  isRecord(json.data)

const isLocalPartSet = (json: unknown): boolean =>
  isRecord(json) &&
  typeof json.model === "string" &&
  typeof json.id === "string" &&
  Number.isSafeInteger(json.createdIndex) &&
  Number.isSafeInteger(json.version) &&
  (json.modelVersion === undefined || Number.isSafeInteger(json.modelVersion)) &&
  (json.isLifted === undefined || json.isLifted === true) &&
  isRecord(json.data)
