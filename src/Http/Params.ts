/** The query of a request as pairs, in order. Pure. What is no text is refused and never guessed; nothing is ignored. */
import { Result } from "effect"
import { invalidRequest, type Problem, type ProblemError } from "../Problem.ts"
import { splitTarget } from "./Routing.ts"

/** Names and values, decoded. */
export type Params = ReadonlyArray<readonly [name: string, value: string]>

/** Reads the query of a request's target. URLSearchParams would put U+FFFD where bytes are no UTF-8. */
export const parseParams = (url: string): Result.Result<Params, Problem> => {
  const { query } = splitTarget(url)
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

/** Refuses parameters that are none of these: they are never ignored. */
export const refuseOthers = (params: Params, known: ReadonlyArray<string>): Result.Result<void, Problem> => {
  const errors = params
    .filter(([name]) => !known.includes(name))
    .map(([path]) => ({ path, message: "is no parameter here" }))
  return errors.length === 0
    ? Result.void
    : Result.fail(invalidRequest(`Unknown in the query: ${errors.map(({ path }) => path).join(", ")}`, errors))
}

/** The value of a parameter that may be given once. That it is given twice is one of the errors. */
export const only = (params: Params, name: string, errors: Array<ProblemError>): string | undefined => {
  const [first, second] = params.filter(([each]) => each === name)
  if (second !== undefined) errors.push({ path: name, message: "is given twice" })
  return first?.[1]
}

/** The problem that these errors are. */
export const invalidQuery = (what: string, errors: ReadonlyArray<ProblemError>): Problem =>
  invalidRequest(`${what}: ${errors.map(({ message, path }) => `${path} ${message}`).join("; ")}`, errors)
