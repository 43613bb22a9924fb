/**
 * Routes of the administration as data: each says which role it asks of its caller. `guarded` makes routes of them that
 * find out who asks, refuse everybody else, and write to the audit log what operators do.
 */
import { Cause, Effect, Exit, type Scope } from "effect"
import { HttpRouter, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { Problem } from "../Problem.ts"
import { admit, type Known, type Operator } from "./AdminAccess.ts"
import type { Audit, Details } from "./Audit.ts"
import { CurrentVisit, type Visit } from "./Visit.ts"

/** What the router gives every handler. */
type Given = HttpServerRequest.HttpServerRequest | HttpRouter.RouteContext | Scope.Scope

type Answer = Effect.Effect<HttpServerResponse.HttpServerResponse, Problem, Given>

/** An operator who asks for something, and what the audit log shall say of it. */
export interface Acting extends Operator {
  /** Adds to the line of the audit log. */
  readonly note: (details: Details) => void
}

/** A route that only tells. */
export interface Viewing {
  readonly role: "viewer"
  readonly method: "GET"
  readonly path: `/${string}`
  readonly answer: Answer
}

/** A route that changes something, or shows what viewers may not see. */
export interface Operating {
  readonly role: "operator"
  readonly method: "GET" | "POST" | "PUT" | "DELETE"
  readonly path: `/${string}`
  readonly answer: (operator: Acting) => Answer
}

/** A route of the administration. */
export type OperatorRoute = Viewing | Operating

/** Makes a route for viewers. */
export const viewing = (path: Viewing["path"], answer: Answer): Viewing => ({
  role: "viewer",
  method: "GET",
  path,
  answer
})

/** Makes a route for operators. */
export const operating = (
  method: Operating["method"],
  path: Operating["path"],
  answer: Operating["answer"]
): Operating => ({ role: "operator", method, path, answer })

/** Routes for those whom the node admits. */
export const guarded = (
  routes: ReadonlyArray<OperatorRoute>,
  known: Known,
  audit: Audit
): ReadonlyArray<HttpRouter.Route<Problem, Given>> =>
  routes.map((route) => {
    const { method, path } = route
    const answered = Effect.gen(function* () {
      const { headers, method, peerAddress } = yield* HttpServerRequest.HttpServerRequest
      const sender = { headers, method, peerAddress, visit: yield* CurrentVisit }
      if (route.role === "viewer") return yield* Effect.andThen(admit(known, sender, "viewer"), route.answer)
      const operator = yield* admit(known, sender, "operator")
      return yield* acting(route.answer, operator, sender.visit, audit)
    })
    return HttpRouter.route(method as "GET", path, answered)
  })

/** Answers an operator, and logs it once the answer is certain. */
const acting = (answer: Operating["answer"], operator: Operator, visit: Visit | undefined, audit: Audit): Answer =>
  Effect.suspend(() => {
    let details: Details = {}
    const note = (more: Details): void => {
      details = { ...details, ...more }
    }
    return Effect.onExit(answer({ ...operator, note }), (exit) => {
      const outcome = Exit.isSuccess(exit) ? exit.value.status : problemIn(exit.cause)
      return audit.acted(visit, { who: operator.who, outcome, details })
    })
  })

/** The problem that an act met. A defect is a 500; an act whose client left may be done or not. */
const problemIn = (cause: Cause.Cause<Problem>): number | Problem => {
  const failed = cause.reasons.find(Cause.isFailReason)
  if (failed?.error instanceof Problem) return failed.error
  return Cause.hasInterruptsOnly(cause) ? 499 : 500
}
