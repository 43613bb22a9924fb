/**
 * Turns an error that a command declares into the problem that a client sees: named after its tag, with its fields.
 * Pure.
 */
import * as Option from "effect/Option"
import type { Rejection } from "../Machine/Rejection.ts"
import { kebabOf } from "../Model/Path.ts"
import { declaredProblem, type Problem } from "../Problem.ts"
import { type Any, decodeError, statusOf, tagOf } from "./Declaration.ts"

/** `InsufficientFunds` becomes `insufficient-funds`. */
export const kindOfError = (tag: string): string => kebabOf(tag)

/** `InsufficientFunds` becomes "Insufficient funds". */
export const titleOf = (tag: string): string => {
  const words = kindOfError(tag).replaceAll("-", " ")
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** The status if this node's code does not know the error: a rule of the command is broken. */
const unknownStatus = 409

/**
 * The problem of a command's error. A rejection carries only the fields, so the status and the text come from the code
 * of the answering node, if it knows the command.
 */
export const problemOfDeclared = (
  command: Pick<Any, "errors"> | undefined,
  { error }: Extract<Rejection, { readonly _tag: "Declared" }>
): Problem => {
  const { _tag: tag, ...members } = error
  const errors = command?.errors ?? []
  const known = errors.find((each) => tagOf(each) === tag)
  const decoded = Option.getOrUndefined(decodeError(errors, error))
  const said = decoded instanceof Error ? decoded.message : ""
  return declaredProblem({
    kind: kindOfError(tag),
    status: known === undefined ? unknownStatus : statusOf(known),
    title: titleOf(tag),
    detail: said === "" ? titleOf(tag) : said,
    members
  })
}
