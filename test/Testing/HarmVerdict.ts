/** Whether a run under harm kept the promises, and which it broke. */
import { Cause, type Effect, Exit, Result } from "effect"
import { check, History, VersionedRegister } from "../../src/Testing.ts"
import type { run } from "./Harm.ts"

/** The failure of a run; undefined if it passed. */
export const failureOf = (ran: Exit.Exit<Effect.Success<ReturnType<typeof run>>, unknown>): string | undefined => {
  if (Exit.isFailure(ran)) return Cause.pretty(ran.cause)
  const { events, hashes } = ran.value
  if (new Set(hashes).size !== 1) return `the state hashes differ: ${hashes.join(", ")}`
  const verdict = check(VersionedRegister.model, Result.getOrThrow(History.operations(events)))
  return verdict._tag === "Linearizable" ? undefined : JSON.stringify({ ...verdict, orders: undefined })
}
