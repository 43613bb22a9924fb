/** Turns the cluster's outcome of a write into the client's problem. Pure. docs/http.md, "Problems". */
import { type Problem, withHeaders, withMembers } from "../Problem.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { ChangeFailure } from "../Repository/Records.ts"
import type { Asked } from "../Repository/RejectionProblem.ts"
import { operationPath } from "./Paths.ts"
import { outcomeHeaders } from "./RecordResponse.ts"

/** The problem of an unconfirmed write. It has the key and the path by which the client can ask for the outcome. */
export const problemOfFailure = (error: NotDone | UnknownOutcome, askedKey: string | undefined): Problem => {
  const met = error.toProblem()
  const key = "key" in error ? (error.key ?? askedKey) : askedKey
  return met.kind !== "unknown-outcome" || key === undefined
    ? met
    : withMembers(met, { key, operation: operationPath(key) })
}

/** The problem of a refused or unconfirmed change, with the headers of its outcome. */
export const problemOfChange = (error: ChangeFailure, key: string | undefined, asked?: Asked): Problem =>
  error._tag === "Refused"
    ? withHeaders(error.toProblem(key, asked), outcomeHeaders(error))
    : problemOfFailure(error, key)
