/** Judges the history of a simulated cluster's clients, record by record, with the project's own judge. */
import { Result } from "effect"
import { type Event, type Operation, operations } from "../History.ts"
import { check } from "../Linearizability.ts"
import type { Model } from "../SequentialModel.ts"
import * as VersionedRegister from "../VersionedRegister.ts"
import * as Account from "./Account.ts"
import { fail } from "./Failure.ts"
import { modelOf } from "./Models.ts"

const stepsMax = 200_000

export const judge = (history: ReadonlyArray<Event>): void => {
  const read = operations(history)
  if (Result.isFailure(read)) fail(`the history is none, line ${read.failure.line}: ${read.failure.message}`)
  for (const kind of ["Account", "Register"] as const) {
    const model = kind === "Account" ? Account.model : VersionedRegister.model
    const told = read.success.filter(({ key }) => modelOf(key) === kind)
    verdictOf(model, told)
  }
}

const verdictOf = (model: Model<VersionedRegister.State>, told: ReadonlyArray<Operation>): void => {
  const verdict = check(model, told, { stepsMax })
  if (verdict._tag === "NotLinearizable") fail(`${verdict.key} is not linearizable: ${verdict.reason}`)
  if (verdict._tag === "Undecided")
    fail(`it could not be decided whether ${verdict.keys.join(" and ")} are linearizable`)
}
