/**
 * The account of a simulated cluster as a sequential object: a record with a version. `withdraw` and `deposit`, the two
 * halves of a declared transfer, also move its balance. Money.ts checks that both halves happen or neither does. Pure. A
 * model for Linearizability.ts.
 */
import type { Schema } from "effect"
import { canonical } from "../../Machine/Json.ts"
import type { Call, Model } from "../SequentialModel.ts"
import * as VersionedRegister from "../VersionedRegister.ts"

/** The state of an account: its balance, and the text of the request that wrote it. */
interface Holding {
  readonly balance: number
  readonly by: string
}

/** The arguments of half a transfer. */
interface Movement {
  readonly amount: number
  readonly by: string
}

/**
 * The operations besides those of a versioned record:
 *
 * | op | value | ok, result | fail, result |
 * |---|---|---|---|
 * | `withdraw` | `{amount, by}` | `{version}` | `{balance}`, which is too low; `"absent"` |
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
  /** The text of a request shows that it was done. Its balance counts too, since later requests go on from it. */
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

/** The request's own text, and everything else in which requests differ. */
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
