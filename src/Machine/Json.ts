/** JSON as the machine needs it: one text per value, merge patches, and a bound on depth. Pure. RFC 7396, RFC 8785 (key order). */
import type { Schema } from "effect"
import { depthMax } from "../Model/PlainJson.ts"

type Json = Schema.Json

const isObject = (json: unknown): json is { readonly [key: string]: Json } =>
  typeof json === "object" && json !== null && !Array.isArray(json)

/** Whether a value nests deeper than {@link depthMax}. What was parsed from a text, where nothing is shared. */
export const isTooDeep = (json: unknown, depthLeft: number = depthMax): boolean =>
  typeof json === "object" &&
  json !== null &&
  (depthLeft === 0 || Object.values(json).some((child) => isTooDeep(child, depthLeft - 1)))

/** The text of a value with its keys in order: equal values have equal texts, however they came about. */
export const canonical = (json: Json): string => {
  if (Array.isArray(json)) return `[${json.map(canonical).join(",")}]`
  if (!isObject(json)) return JSON.stringify(json)
  const members = Object.keys(json)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(json[key]!)}`)
  return `{${members.join(",")}}`
}

/** RFC 7396: null removes, an object merges, anything else replaces. Keys such as `__proto__` are plain data. */
export const mergePatch = (target: Json | undefined, patch: Json): Json => {
  if (!isObject(patch)) return patch
  const merged = new Map<string, Json>(isObject(target) ? Object.entries(target) : [])
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) merged.delete(key)
    else merged.set(key, mergePatch(merged.get(key), value))
  }
  // Object.fromEntries defines own properties and calls no setter.
  return Object.fromEntries(merged)
}

/** Fields of `patch` in place of those of `target`, whole; null removes one of `removable`. */
export const replaceFields = (
  target: { readonly [field: string]: Json },
  patch: { readonly [field: string]: Json },
  removable: (field: string) => boolean
): { readonly [field: string]: Json } => {
  const fields = new Map(Object.entries(target))
  for (const [field, value] of Object.entries(patch)) {
    if (value === null && removable(field)) fields.delete(field)
    else fields.set(field, value)
  }
  return Object.fromEntries(fields)
}

/** A JSON object, as records and requests are. */
export const isRecord = isObject
