/** Whether what the clients of a simulated cluster were told of each record could be: by the project's own judge. */
import { Result } from "effect"
import { type Event, operations } from "./History.ts"
import { check } from "./Linearizability.ts"
import { fail } from "./SimulatorFailure.ts"
import { model } from "./VersionedRegister.ts"

const stepsMax = 200_000

export const judge = (history: ReadonlyArray<Event>): void => {
  const read = operations(history)
  if (Result.isFailure(read)) fail(`the history is none, line ${read.failure.line}: ${read.failure.message}`)
  const verdict = check(model, read.success, { stepsMax })
  if (verdict._tag === "NotLinearizable") fail(`${verdict.key} is not linearizable: ${verdict.reason}`)
  if (verdict._tag === "Undecided")
    fail(`it could not be decided whether ${verdict.keys.join(" and ")} are linearizable`)
}
