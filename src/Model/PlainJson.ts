/**
 * Copies values into JSON that no other code holds. A value from application code may not be JSON, or may change later.
 * A table with such a value would differ from the log, and nodes would differ from each other. Pure. RFC 8259.
 */

import * as Result from "effect/Result"
import type * as Schema from "effect/Schema"

type Json = Schema.Json

/** The limit of recursion: a value of a million brackets must not exhaust the stack of every node. */
export const depthMax = 64

/** The limit on members, more than an entry holds. A shared part is copied as often as it appears. */
const membersMax = 4 * 1024 * 1024

/** An error in a value. `path` is dotted. */
interface Wrong {
  readonly path: string
  readonly message: string
}

/** The path from the root to the part that is not JSON, and why. */
class NoJson {
  readonly path: ReadonlyArray<string>
  readonly message: string
  constructor(path: ReadonlyArray<string>, message: string) {
    this.path = path
    this.message = message
  }
}

/**
 * Copies the value as JSON, or returns the part that has no JSON form: an infinite number, a date, or text without a
 * UTF-8 form.
 */
export const plainJson = (value: unknown): Result.Result<Json, ReadonlyArray<Wrong>> => {
  const copied = copy(value, depthMax, { left: membersMax })
  return copied instanceof NoJson
    ? Result.fail([{ path: copied.path.join("."), message: copied.message }])
    : Result.succeed(copied)
}

/** Copies JSON for code that may change its copy. */
export const copyOf = <J extends Json>(json: J): J => {
  if (json === null || typeof json !== "object") return json
  if (Array.isArray(json)) return json.map(copyOf) as unknown as J
  const copied: Record<string, Json> = {}
  for (const [key, member] of Object.entries(json)) define(copied, key, copyOf(member as Json))
  return copied as unknown as J
}

const copy = (value: unknown, depthLeft: number, members: { left: number }): Json | NoJson => {
  switch (typeof value) {
    case "string":
      return value.isWellFormed() ? value : new NoJson([], "Expected text that UTF-8 can carry")
    case "boolean":
      return value
    case "number":
      if (!Number.isFinite(value)) return new NoJson([], "Expected a finite number")
      return value === 0 ? 0 : value
    case "object":
      break
    default:
      return new NoJson([], `Expected JSON, got ${typeof value}`)
  }
  if (value === null) return null
  if (depthLeft === 0) return new NoJson([], `Expected at most ${depthMax} levels of nesting`)
  const isArray = Array.isArray(value)
  if (!isArray && !isPlain(value)) return new NoJson([], "Expected JSON")
  const keys = isArray ? undefined : Object.keys(value)
  const count = keys?.length ?? (value as ReadonlyArray<unknown>).length
  members.left -= count
  if (members.left < 0) return new NoJson([], `Expected at most ${membersMax} members`)
  const copied: Record<string, Json> | Array<Json> = isArray ? [] : {}
  for (let at = 0; at < count; at++) {
    const key = keys?.[at] ?? String(at)
    const member = copy((value as Record<string, unknown>)[key], depthLeft - 1, members)
    if (member instanceof NoJson) return new NoJson([key, ...member.path], member.message)
    if (Array.isArray(copied)) copied.push(member)
    else if (key.isWellFormed()) define(copied, key, member)
    else return new NoJson([], "Expected keys that UTF-8 can carry")
  }
  return copied
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Sets a member: `__proto__` is a key like any other. */
export const define = (target: Record<string, Json>, key: string, value: Json): void => {
  if (key !== "__proto__") target[key] = value
  else Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true })
}
