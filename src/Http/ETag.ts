/** Entity tags of records and the conditions on them. Pure; RFC 9110 §8.8.3, §13.1. Deciding on a version is Machine's. */
import * as Result from "effect/Result"
import { invariant } from "../Invariant.ts"

/** What a tag says of a record; `local` is there when the answering node holds local parts of it. */
export interface RecordTag {
  readonly version: number
  readonly local?: { readonly instance: string; readonly revision: number }
}

/** One tag of a condition, as the client wrote it between the quotes. */
export interface EntityTag {
  readonly weak: boolean
  readonly opaque: string
}

/** What a condition header asks for. A tag that no record ever had is well formed: it matches nothing. */
export type Condition =
  | { readonly _tag: "Any" }
  | { readonly _tag: "Tags"; readonly tags: readonly [EntityTag, ...Array<EntityTag>] }

/** A condition header that is none. */
export interface MalformedCondition {
  readonly _tag: "MalformedCondition"
  readonly header: string
  readonly message: string
}

/** The `ETag` of a record: `"3"`, or `"3.instance.7"` with local parts. */
export const formatETag = (tag: RecordTag): string => {
  invariant(Number.isSafeInteger(tag.version) && tag.version >= 1, "the version of a record is not a positive integer")
  if (tag.local === undefined) return `"${tag.version}"`
  invariant(/^[\x21\x23-\x7e]+$/.test(tag.local.instance), "an instance id cannot stand in an entity tag")
  return `"${tag.version}.${tag.local.instance}.${tag.local.revision}"`
}

/** Reads what stands between the quotes; undefined when no record of ours can have it. */
export const parseRecordTag = (opaque: string): RecordTag | undefined => {
  const match = /^([1-9]\d*)(?:\.([\x21\x23-\x7e]+)\.(0|[1-9]\d*))?$/.exec(opaque)
  if (match === null) return undefined
  const version = Number(match[1])
  if (!Number.isSafeInteger(version)) return undefined
  if (match[2] === undefined) return { version }
  const revision = Number(match[3])
  return Number.isSafeInteger(revision) ? { version, local: { instance: match[2], revision } } : undefined
}

/** Reads an `If-Match` or `If-None-Match`. Empty list elements are skipped, as RFC 9110 §5.6.1.2 asks. */
export const parseCondition = (header: string, value: string): Result.Result<Condition, MalformedCondition> => {
  const malformed = (message: string) => Result.fail({ _tag: "MalformedCondition" as const, header, message })
  if (value.trim() === "*") return Result.succeed({ _tag: "Any" })
  const tags: Array<EntityTag> = []
  // Sticky: each match must start where the last one ended, so nothing between two tags is skipped unseen.
  // White space has one place to match before a tag and one after it: a header full of it takes linear time.
  const element = /[ \t]*(?:(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"[ \t]*)?(,|$)/y
  while (element.lastIndex < value.length) {
    const start = element.lastIndex
    const match = element.exec(value)
    if (match === null) return malformed(`${header} is not a list of entity tags at character ${start + 1}: ${value}`)
    if (match[2] !== undefined) tags.push({ weak: match[1] !== undefined, opaque: match[2] })
  }
  const [first, ...rest] = tags
  return first === undefined
    ? malformed(`${header} names no entity tag`)
    : Result.succeed({ _tag: "Tags", tags: [first, ...rest] })
}

/**
 * Whether `If-Match` holds: strong comparison, so a weak tag never matches (RFC 9110 §13.1.1).
 *
 * The revision counts only where `compareRevision` is set (a change of local parts) and on the instance that gave it;
 * elsewhere the long form is as good as the plain version.
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

/** Whether `If-None-Match` holds: no tag is the current one, by weak comparison (RFC 9110 §13.1.2). */
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
