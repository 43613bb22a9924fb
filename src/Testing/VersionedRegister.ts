/**
 * The sequential record with a version, as docs/http.md promises it: the version starts at 1, grows by one with
 * every change, a deletion included, and goes on when the record is created again. Pure. A model for Linearizability.ts.
 */
import type { Schema } from "effect"
import { canonical } from "../Machine/Json.ts"
import type { Model } from "./SequentialModel.ts"

export interface State {
  /** The version of the last change of any kind; 0 before the first. */
  readonly version: number
  /** Null if there is no record. */
  readonly value: Schema.Json
}

/**
 * | op | value | ok, result | fail, result |
 * |---|---|---|---|
 * | `read` | – | `{value, version}`, or null: there is none | – |
 * | `write` | the new value | `{version}` | – |
 * | `create` | the new value | `{version}` | `"exists"` |
 * | `cas` | `{ifVersion, value}` | `{version}` | `{currentVersion}`, null when there is none |
 * | `delete` | – | `"deleted"` | `"absent"` |
 */
export const model: Model<State> = {
  initial: { version: 0, value: null },
  fingerprint: ({ value, version }) => `${version} ${canonical(value)}`,
  apply: (state, { op, value }) => {
    const version = state.version + 1
    const changed = (next: Schema.Json) =>
      ({ state: { version, value: next }, answer: { type: "ok", result: { version } } }) as const
    const refused = (result: Schema.Json) => ({ state, answer: { type: "fail", result } }) as const
    const exists = state.value !== null
    switch (op) {
      case "read":
        return { state, answer: { type: "ok", result: exists ? { value: state.value, version: state.version } : null } }
      case "write":
        return changed(value)
      case "create":
        return exists ? refused("exists") : changed(value)
      case "cas": {
        const ifVersion = memberOf(value, "ifVersion")
        const next = memberOf(value, "value")
        if (ifVersion === undefined || next === undefined) return undefined
        if (exists && ifVersion === state.version) return changed(next)
        return refused({ currentVersion: exists ? state.version : null })
      }
      case "delete":
        return exists ? { ...changed(null), answer: { type: "ok", result: "deleted" } } : refused("absent")
      default:
        return undefined
    }
  },
  /** Versions never go back, and a change of version n is done from version n − 1. */
  rank: {
    of: ({ version }) => version,
    max: ({ answer: { result = null, type }, op }) => {
      const version = memberOf(result, "version") ?? memberOf(result, "currentVersion")
      if (typeof version !== "number") return Number.POSITIVE_INFINITY
      return type === "ok" && op !== "read" ? version - 1 : version
    }
  },
  /** A value that only one operation writes, and which was read, tells that it was written, and as which version. */
  trace: {
    left: ({ op, value }) => {
      const written = op === "cas" ? memberOf(value, "value") : op === "read" ? null : value
      if (written === undefined || written === null) return undefined
      const kind = op === "cas" ? `cas ${canonical(memberOf(value, "ifVersion") ?? null)}` : op
      return { trace: canonical(written), kind }
    },
    found: ({ answer: { result = null }, op }) => {
      const value = memberOf(result, "value")
      const version = memberOf(result, "version")
      if (op !== "read" || value === undefined || version === undefined) return undefined
      return { trace: canonical(value), answer: { type: "ok", result: { version } } }
    }
  }
}

const memberOf = (json: Schema.Json, name: string): Schema.Json | undefined => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return undefined
  return Object.hasOwn(json, name) ? (json as Schema.JsonObject)[name] : undefined
}
