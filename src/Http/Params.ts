/** Reads the query of a request as ordered pairs. Pure. Refuses bad encoding and unknown parameters; ignores nothing. */
import { Result } from "effect"
import { invalidRequest, type Problem, type ProblemError } from "../Problem.ts"
import { splitTarget } from "./Routing.ts"

/** Decoded names and values. */
export type Params = ReadonlyArray<readonly [name: string, value: string]>

const noParams: Result.Result<Params> = Result.succeed([])

/** Parses the query of a request's target. URLSearchParams would replace bad UTF-8 by U+FFFD. */
export const parseParams = (url: string): Result.Result<Params, Problem> => {
  const { query } = splitTarget(url)
  if (query === "") return noParams
  const pairs = query.split("&").filter((pair) => pair !== "")
  const decode = (text: string) => decodeURIComponent(text.replaceAll("+", " "))
  return Result.try({
    try: () =>
      pairs.map((pair) => {
        const at = pair.indexOf("=")
        return at === -1 ? [decode(pair), ""] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))]
      }) as unknown as Params,
    catch: () => invalidRequest("The query is not percent-encoded UTF-8")
  })
}

/** Refuses all parameters except these. */
export const refuseOthers = (params: Params, known: ReadonlyArray<string>): Result.Result<void, Problem> => {
  if (params.length === 0) return Result.void
  const errors = params
    .filter(([name]) => !known.includes(name))
    .map(([path]) => ({ path, message: "is not a parameter here: leave it out" }))
  return errors.length === 0
    ? Result.void
    : Result.fail(
        invalidRequest(`The query has unknown parameters: ${errors.map(({ path }) => path).join(", ")}`, errors)
      )
}

/** The value of a parameter that may be given once. Adds an error if it is given twice. */
export const only = (params: Params, name: string, errors: Array<ProblemError>): string | undefined => {
  const [first, second] = params.filter(([each]) => each === name)
  if (second !== undefined) errors.push({ path: name, message: "is given twice: give it once" })
  return first?.[1]
}

/** Makes the problem of these errors. */
export const invalidQuery = (what: string, errors: ReadonlyArray<ProblemError>): Problem =>
  invalidRequest(`${what}: ${errors.map(({ message, path }) => `${path} ${message}`).join("; ")}`, errors)
