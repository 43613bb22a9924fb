/** The sequential register: one value or none, read, written, compared and set. Pure. A model for Linearizability.ts. */
import type { Schema } from "effect"
import { canonical } from "../Machine/Json.ts"
import type { Model } from "./SequentialModel.ts"

/** The value; null: there is none. */
export type State = Schema.Json

/**
 * | op | value | ok, result | fail |
 * |---|---|---|---|
 * | `read` | – | the value, or null | – |
 * | `write` | the new value | – | – |
 * | `cas` | `[from, to]` | – | when the value is not `from` |
 * | `create` | the new value | – | when there is a value |
 * | `delete` | – | – | when there is none |
 *
 * A `fail` without a result is believed to have done nothing, and not checked; with the result `"refused"` it is also
 * checked that there was a reason.
 */
export const model: Model<State> = {
  initial: null,
  fingerprint: canonical,
  apply: (state, { op, value }) => {
    const done = (next: State) => ({ state: next, answer: { type: "ok" } }) as const
    const refused = { state, answer: { type: "fail", result: "refused" } } as const
    switch (op) {
      case "read":
        return { state, answer: { type: "ok", result: state } }
      case "write":
        return done(value)
      case "cas": {
        if (!Array.isArray(value) || value.length !== 2) return undefined
        return canonical(state) === canonical(value[0]!) ? done(value[1]!) : refused
      }
      case "create":
        return state === null ? done(value) : refused
      case "delete":
        return state === null ? refused : done(null)
      default:
        return undefined
    }
  },
  /** A value that only one operation writes, and which was read, tells that it was written. */
  trace: {
    left: ({ op, value }) => {
      const written = op === "cas" ? (value as ReadonlyArray<Schema.Json>)[1] : op === "read" ? null : value
      if (written === undefined || written === null) return undefined
      // A later cas may compare with what nobody read: no two values are the same to everyone.
      return { trace: canonical(written), kind: `${op} ${canonical(value)}` }
    },
    found: ({ answer: { result = null }, op }) =>
      op === "read" && result !== null ? { trace: canonical(result), answer: { type: "ok" } } : undefined
  }
}
