/** Encodes where a page of a list ended, so that any node can resume there. Pure. Not secret: it holds a record's order key and id. */
import { Result } from "effect"
import { Base64Url } from "effect/encoding"
import type { OrderValue } from "../Machine/Order.ts"

/** One value of an order key. */
export type CursorValue = OrderValue

/** A cursor that this node cannot resume from. */
export interface InvalidCursor {
  readonly _tag: "InvalidCursor"
  readonly message: string
}

/** Raise it when the layout below changes: an older cursor is then invalid, never misread. */
const layoutVersion = 2

/** The longest cursor. With the link around it, it takes half of the request head that every runtime accepts. */
export const cursorLengthMax = 8 * 1024

/** Makes the cursor of a page whose last record has this order key. Its last value is the id, which breaks ties. */
export const encodeCursor = (options: {
  readonly fingerprint: string
  readonly lastKey: ReadonlyArray<CursorValue>
}): string => Base64Url.encode(JSON.stringify([layoutVersion, options.fingerprint, ...options.lastKey.map(written)]))

/** JSON has no infinities: it would write null. */
const written = (value: CursorValue): unknown =>
  value === Number.POSITIVE_INFINITY ? [1] : value === Number.NEGATIVE_INFINITY ? [-1] : value

const readBack = (value: unknown): unknown =>
  Array.isArray(value) && value.length === 1 && (value[0] === 1 || value[0] === -1) ? value[0] / 0 : value

/** Reads the order key after which the next page starts. Refuses a cursor of another list, order or filter. */
export const decodeCursor = (
  cursor: string,
  expected: { readonly fingerprint: string; readonly keyCount: number }
): Result.Result<ReadonlyArray<CursorValue>, InvalidCursor> => {
  const invalid = (message: string) => Result.fail({ _tag: "InvalidCursor" as const, message })
  const parsed = Result.flatMap(Base64Url.decodeString(cursor), (text) => Result.try((): unknown => JSON.parse(text)))
  if (Result.isFailure(parsed) || !Array.isArray(parsed.success)) return invalid("The cursor is not one of ours")
  const [version, fingerprint, ...values]: ReadonlyArray<unknown> = parsed.success
  const key = values.map(readBack)
  if (version !== layoutVersion || typeof fingerprint !== "string") return invalid("The cursor is not one of ours")
  if (fingerprint !== expected.fingerprint) {
    return invalid("The cursor belongs to another list: keep model, filters and order, or leave the cursor out")
  }
  return key.length === expected.keyCount && key.every(isCursorValue)
    ? Result.succeed(key)
    : invalid("The cursor is not one of ours")
}

/**
 * Names a list: equal on every node and runtime for equal parts. FNV-1a, 64 bits (draft-eastlake-fnv).
 * It catches mistakes, not attacks: a forged cursor only names another place in the same list.
 */
export const listFingerprint = (parts: ReadonlyArray<unknown>): string => {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(JSON.stringify(parts))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  }
  return hash.toString(16).padStart(16, "0")
}

/** The `Link` header of a page: the same request with the next cursor, relative to the host (RFC 8288). */
export const nextLink = (options: {
  readonly pathname: string
  readonly params: ReadonlyArray<readonly [string, string]>
  readonly cursor: string
}): string => {
  const search = new URLSearchParams()
  for (const [name, value] of options.params) if (name !== "cursor") search.append(name, value)
  search.append("cursor", options.cursor)
  return `<${options.pathname}?${search}>; rel="next"`
}

const isCursorValue = (value: unknown): value is CursorValue =>
  value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean"
