/** Entity tags of records, and the conditions on them. Pure. RFC 9110 §8.8.3, §13.1. Machine decides on versions. */
import * as Result from "effect/Result"
import { invariant } from "../Invariant.ts"

/** The content of a record's tag. `local` is present if the answering node holds local parts of the record. */
export interface RecordTag {
  readonly version: number
  /** The version of the model's shape in which the record is shown; absent for 1. */
  readonly modelVersion?: number
  readonly local?: { readonly instance: string; readonly revision: number }
}

/** One tag of a condition, as the client wrote it between the quotes. */
export interface EntityTag {
  readonly weak: boolean
  readonly opaque: string
}

/** A parsed condition header. A tag that no record ever had is well formed: it matches nothing. */
export type Condition =
  | { readonly _tag: "Any" }
  | { readonly _tag: "Tags"; readonly tags: readonly [EntityTag, ...Array<EntityTag>] }

/** Why a condition header is malformed. */
export interface MalformedCondition {
  readonly _tag: "MalformedCondition"
  readonly header: string
  readonly message: string
}

/** Writes the `ETag` of a record: `"3"`, `"3;2"` in version 2 of its model, or `"3.instance.7"` with local parts. */
export const formatETag = (tag: RecordTag): string => {
  invariant(Number.isSafeInteger(tag.version) && tag.version >= 1, "the version of a record is not a positive integer")
  const version = tag.modelVersion === undefined ? `${tag.version}` : `${tag.version};${tag.modelVersion}`
  if (tag.local === undefined) return `"${version}"`
  invariant(/^[\x21\x23-\x7e]+$/.test(tag.local.instance), "an instance id cannot stand in an entity tag")
  return `"${version}.${tag.local.instance}.${tag.local.revision}"`
}

/** Reads the text between the quotes; undefined if no record can have such a tag. */
export const parseRecordTag = (opaque: string): RecordTag | undefined => {
  const match = /^([1-9]\d*)(?:;([1-9]\d*))?(?:\.([\x21\x23-\x7e]+)\.(0|[1-9]\d*))?$/.exec(opaque)
  if (match === null) return undefined
  const version = Number(match[1])
  if (!Number.isSafeInteger(version)) return undefined
  const shown = match[2] === undefined ? { version } : { version, modelVersion: Number(match[2]) }
  if (match[3] === undefined) return shown
  const revision = Number(match[4])
  return Number.isSafeInteger(revision) ? { ...shown, local: { instance: match[3], revision } } : undefined
}

/** Reads an `If-Match` or `If-None-Match`. Skips empty list elements (RFC 9110 §5.6.1.2). */
export const parseCondition = (header: string, value: string): Result.Result<Condition, MalformedCondition> => {
  const malformed = (message: string) => Result.fail({ _tag: "MalformedCondition" as const, header, message })
  if (value.trim() === "*") return Result.succeed({ _tag: "Any" })
  const tags: Array<EntityTag> = []
  // Sticky: each match starts where the last one ended, so that nothing between two tags is skipped.
  // White space can match in one place before a tag and one after it: a header full of it takes linear time.
  const element = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(,|$)/y
  while (element.lastIndex < value.length) {
    const start = element.lastIndex
    const match = element.exec(value)
    if (match === null) return malformed(`${header} is not a list of entity tags at character ${start + 1}: ${value}`)
    if (match[2] !== undefined) tags.push({ weak: match[1] !== undefined, opaque: match[2] })
  }
  const [first, ...rest] = tags
  return first === undefined
    ? malformed(`${header} has no entity tag: send one in double quotes`)
    : Result.succeed({ _tag: "Tags", tags: [first, ...rest] })
}

/**
 * Whether `If-Match` holds. By strong comparison, a weak tag never matches (RFC 9110 §13.1.1).
 *
 * The revision counts only with `compareRevision`, for a change of local parts, and on the instance that gave it.
 * Otherwise only the version counts.
 */
export const ifMatchHolds = (options: {
  readonly condition: Condition
  readonly current: RecordTag | undefined
  readonly compareRevision: boolean
}): boolean => {
  const { condition, current } = options
  if (current === undefined) return false
  if (condition._tag === "Any") return true
  return condition.tags.some((tag) => {
    if (tag.weak) return false
    const asked = parseRecordTag(tag.opaque)
    if (asked === undefined || asked.version !== current.version) return false
    if (!options.compareRevision || asked.local === undefined || current.local === undefined) return true
    return asked.local.instance !== current.local.instance || asked.local.revision === current.local.revision
  })
}

/** Whether `If-None-Match` holds: by weak comparison, no tag is the current one (RFC 9110 §13.1.2). */
export const ifNoneMatchHolds = (options: {
  readonly condition: Condition
  readonly current: RecordTag | undefined
}): boolean => {
  const { condition, current } = options
  if (current === undefined) return true
  if (condition._tag === "Any") return false
  const opaque = formatETag(current).slice(1, -1)
  return condition.tags.every((tag) => tag.opaque !== opaque)
}
