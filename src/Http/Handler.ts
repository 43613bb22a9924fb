/**
 * A handler of an endpoint as a plain function from a request to its next step. No fiber waits: a step that waits says
 * how the wait begins and how the handler goes on. `perform` carries steps out as an Effect, on any router (Mount.ts);
 * Node/DirectExchange.ts does it with callbacks, on the node's own server. Both give the same answers.
 */
import { Cause, Effect, Exit, Result } from "effect"
import { type HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Problem, problemMediaType, toJson } from "../Problem.ts"
import { type Begin, outcomeOf } from "../Raft/node/Settle.ts"
import { AnswerTurn, type JsonBody, readJson } from "./Body.ts"
import type { Head } from "./Head.ts"

/** An answer as data. `body` is JSON text; undefined for an answer without a body. */
export interface Answer {
  readonly _tag: "Answer"
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly contentType: string
  readonly body: string | undefined
}

/** Reads the body as JSON of one of these media types, or answers with a problem (Body.ts). */
export interface ReadBody {
  readonly _tag: "ReadBody"
  readonly mediaTypes: ReadonlyArray<string>
  readonly next: (body: JsonBody) => Step
}

/** Waits until the node may work on a large answer (Admission.ts). */
export interface AwaitTurn {
  readonly _tag: "AwaitTurn"
  readonly next: () => Step
}

/** Begins a request of the node, and goes on with its outcome (Settle.ts). A defect answers with 500. */
export interface Await<A = unknown, E = unknown> {
  readonly _tag: "Await"
  readonly begin: Begin<A, E>
  readonly onSuccess: (value: A) => Step
  readonly onFailure: (error: E) => Step
}

/** An answer, or what comes before it. */
export type Step = Answer | Problem | ReadBody | AwaitTurn | Await

/** Answers one kind of request. It must not block, and does all of its effects in `Await`. */
export type Handler = (head: Head) => Step

/** An endpoint that a plain handler serves. */
export interface Endpoint {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** The path of a route; Routing.ts has its parameters. */
  readonly path: `/${string}`
  readonly handler: Handler
}

/** Makes an endpoint. */
export const endpoint = (method: Endpoint["method"], path: Endpoint["path"], handler: Handler): Endpoint => ({
  method,
  path,
  handler
})

/** Makes an answer with a JSON body, or with none. */
export const answer = (
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | undefined
): Answer => ({ _tag: "Answer", status, headers, contentType: "application/json", body })

/** Makes the answer of a problem. */
export const answerProblem = (met: Problem): Answer => ({
  _tag: "Answer",
  status: met.status,
  headers: met.headers,
  contentType: problemMediaType,
  body: JSON.stringify(toJson(met))
})

/** Makes the step that reads the body. */
export const readBody = (mediaTypes: ReadonlyArray<string>, next: (body: JsonBody) => Step): ReadBody => ({
  _tag: "ReadBody",
  mediaTypes,
  next
})

/** Makes the step that waits for its turn. */
export const awaitTurn = (next: () => Step): AwaitTurn => ({ _tag: "AwaitTurn", next })

/** Makes the step that waits for a result. */
export const awaiting = <A, E>(how: Omit<Await<A, E>, "_tag">): Step => ({ _tag: "Await", ...how }) as unknown as Await

/** Goes on with the value of a result, or answers with its problem. */
export const withValue = <A>(result: Result.Result<A, Problem>, next: (value: A) => Step): Step =>
  Result.isSuccess(result) ? next(result.success) : result.failure

/** The next step after a wait. Throws what the wait died of. */
export const stepOf = <A, E>({ onFailure, onSuccess }: Await<A, E>, exit: Exit.Exit<A, E>): Step => {
  if (Exit.isSuccess(exit)) return onSuccess(exit.value)
  for (const reason of exit.cause.reasons) if (Cause.isFailReason(reason)) return onFailure(reason.error)
  throw Cause.squash(exit.cause)
}

/** Carries out steps as an Effect, up to the answer. */
export const perform = (
  step: Step,
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<HttpServerResponse.HttpServerResponse, Problem> => {
  switch (step._tag) {
    case "Answer":
      return Effect.succeed(toServerResponse(step))
    case "Problem":
      return Effect.fail(step)
    case "ReadBody":
      return Effect.flatMap(readJson(request, step), (body) => perform(step.next(body), request))
    case "AwaitTurn":
      return Effect.flatMap(Effect.flatten(AnswerTurn), () => perform(step.next(), request))
    case "Await":
      return Effect.flatMap(Effect.exit(outcomeOf(step.begin)), (exit) => perform(stepOf(step, exit), request))
  }
}

const toServerResponse = ({ body, contentType, headers, status }: Answer): HttpServerResponse.HttpServerResponse =>
  body === undefined
    ? HttpServerResponse.empty({ status, headers })
    : HttpServerResponse.text(body, { status, headers, contentType })
