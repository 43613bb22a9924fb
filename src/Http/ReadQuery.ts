/** Parses how new the answer to a read must be. Pure. docs/http.md, "Reads". */
import { Result } from "effect"
import type { Problem, ProblemError } from "../Problem.ts"
import type { Consistency } from "../Repository/Freshness.ts"
import type { ReadFailure } from "../Repository/Records.ts"
import type { RecordUnreadable } from "../Repository/RecordUnreadable.ts"
import { invalidQuery, only, type Params } from "./Params.ts"

/** The parameters that every read takes. */
export const readParameters = ["consistency", "max-stale"] as const

/** The detail of a read's problem. */
export const noRead = "The query of this read is invalid"

/** Parses the consistency of a read. `minIndex` is its `Lithair-Min-Index`. Ignores other parameters. */
export const parseConsistency = (params: Params, minIndex: string | undefined): Result.Result<Consistency, Problem> => {
  const errors: Array<ProblemError> = []
  const wrong = (path: string, message: string) => void errors.push({ path, message })
  const number = (path: string, text: string | undefined): number | undefined => {
    if (text === undefined) return undefined
    if (!/^\d{1,16}$/.test(text)) wrong(path, "takes a number from 0")
    return Number(text)
  }
  const mode = only(params, "consistency", errors) ?? "linearizable"
  const staleMaxMs = number("max-stale", only(params, "max-stale", errors))
  const seenIndex = number("Lithair-Min-Index", minIndex)
  if (staleMaxMs !== undefined && mode !== "local") wrong("max-stale", "needs consistency=local")
  if (!isMode(mode)) wrong("consistency", "takes linearizable, session or local")
  if (errors.length > 0) return Result.fail(invalidQuery(noRead, errors))
  switch (mode) {
    case "session":
      return Result.succeed({ _tag: "Session", minIndex: seenIndex ?? 0 })
    case "local":
      return Result.succeed({ _tag: "Local", ...(staleMaxMs === undefined ? {} : { staleMaxMs }) })
    default:
      return Result.succeed({ _tag: "Linearizable" })
  }
}

/** The problem of a read that failed. */
export const problemOfRead = (failure: ReadFailure | RecordUnreadable): Problem => failure.toProblem()

const modes = ["linearizable", "session", "local"] as const

const isMode = (text: string): text is (typeof modes)[number] => modes.some((mode) => mode === text)
