/** JSON for the machine: one text per value, and a bound on depth. Pure. RFC 8785 (key order). */
import type { Schema } from "effect"
import { depthMax } from "../Model/PlainJson.ts"

type Json = Schema.Json

const isObject = (json: unknown): json is { readonly [key: string]: Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json)

/** Whether a value nests deeper than {@link depthMax}. The value was parsed from a text, so no part is shared. */
export const isTooDeep = (json: unknown, depthLeft: number = depthMax): boolean =>
  typeof json === "object" &&
  json !== null &&
  (depthLeft === 0 || Object.values(json).some((child) => isTooDeep(child, depthLeft - 1)))

/**
 * The text of a value with its keys in order, so that equal values have equal texts. As in JSON, a key without a value
 * is left out.
 */
export const canonical = (json: Json): string => {
  if (Array.isArray(json)) return `[${json.map(canonical).join(",")}]`
  if (!isObject(json)) return JSON.stringify(json)
  let members = ""
  for (const key of Object.keys(json).sort()) {
    const value = json[key]
    if (value === undefined) continue
    members += `${members === "" ? "" : ","}${JSON.stringify(key)}:${canonical(value)}`
  }
  return `{${members}}`
}

/** Whether two values have one {@link canonical} text: their keys may come in another order. It makes no texts. */
export const isEqual = (left: Json, right: Json): boolean => {
  if (typeof left !== "object" || left === null) return left === right
  if (typeof right !== "object" || right === null) return false
  if (Array.isArray(left) !== Array.isArray(right)) return false
  const keys = Object.keys(left)
  return (
    keys.length === Object.keys(right).length &&
    keys.every((key) => Object.hasOwn(right, key) && isEqual(memberOf(left, key), memberOf(right, key)))
  )
}

const memberOf = (json: object, key: string): Json => (json as { readonly [key: string]: Json })[key]!

/** A JSON object, as records and requests are. */
export const isRecord = isObject
