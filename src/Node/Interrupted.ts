/**
 * Answers the requests that a stopping server interrupts. By itself Effect answers them with an empty 503, which says
 * nothing about a write under way. The derived API has its own answers by then: this is for the application's own routes.
 */
import { Cause, Effect } from "effect"
import { HttpServer, HttpServerError, HttpServerRequest, type HttpServerResponse } from "effect/http"
import { problem, toResponse } from "../Problem.ts"

/** Methods that change nothing (RFC 9110 §9.2.1). */
const safe: ReadonlyArray<string> = ["GET", "HEAD", "OPTIONS", "TRACE"]

const answerOf = (method: string): HttpServerResponse.HttpServerResponse =>
  toResponse(
    safe.includes(method)
      ? problem("draining", "This node stopped before it could answer: ask another node", { definite: true })
      : problem("unknown-outcome", "This node stopped before it could answer: the request may be done or not", {
          definite: false
        })
  )

/** Whether the server was closed, and nothing else went wrong. A client that goes away needs no answer. */
const isStopped = (cause: Cause.Cause<unknown>): boolean =>
  Cause.hasInterruptsOnly(cause) &&
  !cause.reasons.some(({ annotations }) => annotations.has(HttpServerError.ClientAbort.key))

/** A server that answers with a problem when it closes before a route has answered. */
export const answerInterrupted = (server: HttpServer.HttpServer["Service"]): HttpServer.HttpServer["Service"] =>
  HttpServer.make({
    address: server.address,
    serve: (app, middleware) => {
      const answering = Effect.catchCauseIf(app, isStopped, () =>
        Effect.map(HttpServerRequest.HttpServerRequest, ({ method }) => answerOf(method))
      )
      return middleware === undefined ? server.serve(answering) : server.serve(answering, middleware)
    }
  })
