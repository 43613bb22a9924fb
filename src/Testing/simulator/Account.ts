/**
 * The account of a simulated cluster as a sequential object: a record with a version whose balance is also moved by
 * `withdraw` and `deposit`, the two halves of a declared transfer. That both happen or neither is for the money that is
 * conserved to tell. Pure. A model for Linearizability.ts.
 */
import type { Schema } from "effect"
import { canonical } from "../../Machine/Json.ts"
import type { Call, Model } from "../SequentialModel.ts"
import * as VersionedRegister from "../VersionedRegister.ts"

/** What an account holds: its balance, and the text of the request that wrote it. */
interface Holding {
  readonly balance: number
  readonly by: string
}

/** What half a transfer asks for. */
interface Movement {
  readonly amount: number
  readonly by: string
}

/**
 * Besides those of a versioned record:
 *
 * | op | value | ok, result | fail, result |
 * |---|---|---|---|
 * | `withdraw` | `{amount, by}` | `{version}` | `{balance}`, which is less; `"absent"` |
 * | `deposit` | `{amount, by}` | `{version}` | `"absent"` |
 */
export const model: Model<VersionedRegister.State> = {
  ...VersionedRegister.model,
  apply: (state, call) => {
    if (call.op !== "withdraw" && call.op !== "deposit") return VersionedRegister.model.apply(state, call)
    const { amount, by } = call.value as unknown as Movement
    if (state.value === null) return { state, answer: { type: "fail", result: "absent" } }
    const { balance } = state.value as unknown as Holding
    if (call.op === "withdraw" && balance < amount) return { state, answer: { type: "fail", result: { balance } } }
    const version = state.version + 1
    const value = { balance: call.op === "withdraw" ? balance - amount : balance + amount, by }
    return { state: { version, value }, answer: { type: "ok", result: { version } } }
  },
  /** The text of a request tells that it was done; what it left besides counts, since others go on from its balance. */
  trace: {
    left: (call) => {
      const written = writtenBy(call)
      if (written === undefined) return undefined
      const { by, ...rest } = written
      return { trace: by, kind: `${call.op} ${canonical(rest)}` }
    },
    found: ({ answer: { result = null }, op }) => {
      if (op !== "read" || result === null) return undefined
      const { value, version } = result as unknown as { readonly value: Holding; readonly version: number }
      return { trace: value.by, answer: { type: "ok", result: { version } } }
    }
  }
}

interface Written {
  readonly by: string
  readonly [field: string]: Schema.Json
}

/** The request's own text, and all that makes a difference besides. */
const writtenBy = ({ op, value }: Call): Written | undefined => {
  switch (op) {
    case "create":
    case "withdraw":
    case "deposit":
      return value as unknown as Written
    case "cas": {
      const { ifVersion, value: holding } = value as unknown as { readonly ifVersion: number; readonly value: Holding }
      return { ...holding, ifVersion }
    }
    default:
      return undefined
  }
}
