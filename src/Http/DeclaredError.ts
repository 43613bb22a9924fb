/** An error that a command declares, as the problem that a client meets: named after its tag, its fields beside. Pure. */
import type { DeclaredError } from "../Machine/Rejection.ts"
import { kebabOf } from "../Model/Path.ts"
import { declaredProblem, type Problem } from "./Problem.ts"

/** What is answered where the error does not say a status of its own: a rule of the command is broken. */
export const declaredStatus = 409

/** `InsufficientFunds` is "Insufficient funds". */
export const titleOf = (tag: string): string => {
  const words = kebabOf(tag).replaceAll("-", " ")
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The problem; a node whose code does not declare the error knows no status and no message of it. */
export const problemOfError = (
  { _tag, ...members }: DeclaredError,
  declared: { readonly status?: number; readonly message?: string } = {}
): Problem =>
  declaredProblem({
    kind: kebabOf(_tag),
    status: declared.status ?? declaredStatus,
    title: titleOf(_tag),
    detail: declared.message === undefined || declared.message === "" ? titleOf(_tag) : declared.message,
    members
  })
