/** How new the answer of a read must be. docs/http.md, "Reads". Pure. */
import * as Result from "effect/Result"
import type { FieldError } from "../Model/FieldError.ts"

/**
 * How new the answer of a read must be; `linearizable` by default. `linearizable`: it reflects every write that any node
 * has answered. `session`: it is at least as new as all answers that this {@link Repository} gave, and needs no quorum.
 * `local`: it is what the node has.
 */
export interface ReadOptions {
  readonly consistency?: "linearizable" | "session" | "local"
  /** The greatest age of a local read, in ms. */
  readonly staleMaxMs?: number
}

const modes: ReadonlyArray<unknown> = ["linearizable", "session", "local"]

/** The longest age that a read can name. */
const staleMaxMax = 1e15 - 1

/** Checks the options. Fails with all that is wrong. */
export const checkRead = ({ consistency, staleMaxMs }: ReadOptions): Result.Result<void, ReadonlyArray<FieldError>> => {
  const errors: Array<FieldError> = []
  if (consistency !== undefined && !modes.includes(consistency)) {
    errors.push({ path: "consistency", message: "takes linearizable, session or local" })
  }
  if (staleMaxMs !== undefined && !(Number.isInteger(staleMaxMs) && staleMaxMs >= 0 && staleMaxMs <= staleMaxMax)) {
    errors.push({ path: "staleMaxMs", message: "takes a whole number from 0" })
  }
  if (staleMaxMs !== undefined && consistency !== "local") {
    errors.push({ path: "staleMaxMs", message: "needs consistency: local" })
  }
  return errors.length === 0 ? Result.void : Result.fail(errors)
}
