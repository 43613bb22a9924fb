/** What the cluster says of a write, as the problem that its client meets. Pure. docs/http.md, "Problems". */
import type { LocalNotDone, LocalUnknownOutcome } from "../Local/LocalOutcome.ts"
import { type Problem, withHeaders, withMembers } from "../Problem.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { ChangeFailure } from "../Repository/Records.ts"
import type { Asked } from "../Repository/RejectionProblem.ts"
import { operationPath } from "./Paths.ts"
import { outcomeHeaders } from "./RecordResponse.ts"

/** The problem of a write that was not confirmed. It names the key by which its outcome can be asked for, and where. */
export const problemOfFailure = (
  error: NotDone | UnknownOutcome | LocalNotDone | LocalUnknownOutcome,
  askedKey: string | undefined
): Problem => {
  const met = error.toProblem()
  const key = "key" in error ? (error.key ?? askedKey) : askedKey
  return met.kind !== "unknown-outcome" || key === undefined
    ? met
    : withMembers(met, { key, operation: operationPath(key) })
}

/** The problem of a change that was refused or not confirmed, with what its outcome says of how it came about. */
export const problemOfChange = (error: ChangeFailure, key: string | undefined, asked?: Asked): Problem =>
  error._tag === "Refused"
    ? withHeaders(error.toProblem(key, asked), outcomeHeaders(error))
    : problemOfFailure(error, key)
