/**
 * What an application's own routes deny, for the audit log: answers of 401 and 403, whoever made them. If a rule of a model
 * refused it, the failure says which.
 */
import { type Cause, Exit } from "effect"
import type { HttpServerResponse } from "effect/http"
import { type Denial, Problem } from "../Problem.ts"

/** A denial, and how it was answered. */
export interface Denied {
  readonly denial: Denial
  readonly outcome: number | Problem
}

/** The denial of a route that does not say more. */
const ofRoute: Denial = { of: "_routes", action: "request" }

/** What the answer of a route denied; undefined if nothing. `status` is that of the answer. */
export const deniedBy = (
  exit: Exit.Exit<HttpServerResponse.HttpServerResponse, unknown>,
  status: number
): Denied | undefined => {
  if (status !== 401 && status !== 403) return undefined
  const met = Exit.isSuccess(exit) ? undefined : problemIn(exit.cause)
  return { denial: met?.denial ?? ofRoute, outcome: met ?? status }
}

/** The problem that a handler failed or died with. */
const problemIn = ({ reasons }: Cause.Cause<unknown>): Problem | undefined => {
  for (const reason of reasons) {
    const thrown = reason._tag === "Fail" ? reason.error : reason._tag === "Die" ? reason.defect : undefined
    const met = thrown instanceof Problem ? thrown : madeOf(thrown)
    if (met !== undefined) return met
  }
  return undefined
}

/** The problem of an error of this library. */
const madeOf = (thrown: unknown): Problem | undefined => {
  const isOurs = thrown instanceof Error && "toProblem" in thrown && typeof thrown.toProblem === "function"
  const met: unknown = isOurs ? (thrown as unknown as { readonly toProblem: () => unknown }).toProblem() : undefined
  return met instanceof Problem ? met : undefined
}
