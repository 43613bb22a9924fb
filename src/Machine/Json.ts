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
  const members = Object.keys(json)
    .filter((key) => json[key] !== undefined)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(json[key]!)}`)
  return `{${members.join(",")}}`
}

/** A JSON object, as records and requests are. */
export const isRecord = isObject
