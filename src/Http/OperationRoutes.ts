/** Declares and serves the outcome of a request by its idempotency key, and closes the key of a request that was not done. docs/http.md, "Endpoints". */
import { Effect, Result } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import type { Any as Command } from "../Command/Declaration.ts"
import type { Answer } from "../Machine/Answer.ts"
import * as DatedKey from "../Machine/DatedKey.ts"
import { invalidRequest, type Problem, toJson, unauthenticated } from "../Problem.ts"
import { NotDone } from "../Raft/node/Outcome.ts"
import type { Changed } from "../Repository/Changed.ts"
import type { Operation, Operations } from "../Repository/Operations.ts"
import { problemOfRejection } from "../Repository/RejectionProblem.ts"
import { CurrentCaller } from "./Authentication.ts"
import { parseKey } from "./IdempotencyKey.ts"
import { problems } from "./ModelEndpoints.ts"
import { OperationAnswer } from "./OperationAnswer.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { parseParams, refuseOthers } from "./Params.ts"
import { operationsPath } from "./Paths.ts"
import { Key } from "./Patterns.ts"
import { bodyOfBulk, bodyOfTransaction, outcomeHeaders, statusOfChange } from "./RecordResponse.ts"
import { positionHeaderSchemas } from "./ResponseHeaders.ts"
import { splitTarget } from "./Routing.ts"

const path = `${operationsPath}/:key` as const
const params = { key: Key }
const success = HttpApiSchema.WithHeaders(OperationAnswer, positionHeaderSchemas)

// No model can take this name: a model's name starts with a letter.
export const operationGroup = HttpApiGroup.make("_operations")
  .add(
    HttpApiEndpoint.get("ask", path, {
      params,
      success,
      error: problems(["invalid-request", "no-quorum", "overloaded", "draining", "removed", "upgrade-required"])
    }).annotateMerge(
      OpenApi.annotations({
        summary: "What became of the request with this idempotency key",
        description:
          "`committed` with the status and body of its answer, `pending`, `absent` or `expired`. Linearizable."
      })
    ),
    HttpApiEndpoint.delete("close", path, {
      params,
      success,
      error: problems([
        "invalid-request",
        "key-quota",
        "no-quorum",
        "overloaded",
        "draining",
        "removed",
        "upgrade-required",
        "storage-full",
        "unknown-outcome"
      ])
    }).annotateMerge(
      OpenApi.annotations({
        summary: "Close this idempotency key",
        description:
          "If the request was not done, no copy of it will be done from now on. Answers with the outcome of the request."
      })
    )
  )
  .annotateMerge(OpenApi.annotations({ title: "Operations" }))

/** Makes the routes of operations. `commands` declare the errors that an outcome can have. */
export const operationRoutes = (
  operations: Operations,
  commands: ReadonlyArray<Command>,
  { isGuarded, isKnown }: { readonly isGuarded: boolean; readonly isKnown: (model: string) => boolean }
) => {
  /**
   * Anonymous callers share their keys, so where rules hold they ask for dated keys alone: nobody guesses the random part
   * of another one's.
   */
  const askedFor = (key: string) =>
    Effect.flatMap(CurrentCaller, (caller) =>
      isGuarded && caller._tag === "Anonymous" && DatedKey.parse(key) === undefined
        ? Effect.fail(unauthenticated("Sign in to ask for an operation by a key without a date"))
        : Effect.succeed(caller)
    )
  const path = `${operationsPath}/:key` as const

  /** The code of this node does not know which fields of a newer release's model are hidden, so it shows none of them. */
  const answered = (operation: Operation, key: string) => {
    const newer = operation.changes.find(({ model }) => !isKnown(model))
    return newer === undefined
      ? Effect.succeed(answer(commands, operation, key))
      : Effect.fail(problemOfFailure(newerModel(newer.model), undefined))
  }

  const ask = Effect.gen(function* () {
    const key = yield* readKey
    const caller = yield* askedFor(key)
    const operation = yield* Effect.mapError(operations.ask(caller, key), (error) => problemOfFailure(error, undefined))
    return yield* answered(operation, key)
  })
  const close = Effect.gen(function* () {
    const key = yield* readKey
    const caller = yield* askedFor(key)
    const operation = yield* Effect.mapError(operations.close(caller, key), (error) =>
      error._tag === "Refused" ? problemOfRejection(error.rejection, key) : problemOfFailure(error, key)
    )
    return yield* answered(operation, key)
  })
  return [HttpRouter.route("GET", path, ask), HttpRouter.route("DELETE", path, close)] as const
}

/** Reads the key in the path, where it is percent-encoded. */
const readKey: Effect.Effect<string, Problem, HttpServerRequest.HttpServerRequest> = Effect.gen(function* () {
  const { url } = yield* HttpServerRequest.HttpServerRequest
  const params = yield* Effect.fromResult(parseParams(url))
  yield* Effect.fromResult(refuseOthers(params, []))
  const encoded = splitTarget(url).path.slice(operationsPath.length + 1)
  const key = Result.try({ try: () => decodeURIComponent(encoded), catch: () => malformed })
  return yield* Effect.fromResult(
    Result.flatMap(key, (text) =>
      Result.flatMap(parseKey(text), (parsed) =>
        parsed === undefined ? Result.fail(malformed) : Result.succeed(parsed)
      )
    )
  )
})

const newerModel = (model: string) =>
  new NotDone({
    reason: "upgrade-required",
    message: `This node's release does not know the model ${model}, which the operation changed: ask another node`
  })

const malformed = invalidRequest("The key in the path is not percent-encoded UTF-8")

const answer = (
  commands: ReadonlyArray<Command>,
  operation: Operation,
  key: string
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(operationAnswer(commands, operation, key), { headers: outcomeHeaders(operation) })

/** Says what became of the request with this key. */
export const operationAnswer = (
  commands: ReadonlyArray<Command>,
  { changes, status }: Operation,
  key: string
): OperationAnswer => {
  switch (status._tag) {
    case "Pending":
      return { state: "pending" }
    case "Absent":
    case "Closed":
      return { state: "absent" }
    case "Expired":
      return { state: "expired" }
    case "Known": {
      const { outcome } = status
      if (outcome._tag === "Accepted") return { state: "committed", ...acceptedOf(status, outcome.answer, changes) }
      const { rejection } = outcome
      const refused = problemOfRejection(rejection, key, { name: status.command, commands })
      return { state: "committed", status: refused.status, body: toJson(refused) }
    }
  }
}

type Accepted = Pick<OperationAnswer, "status" | "body">

/** Answers with the functions that answer the request itself. */
const acceptedOf = (
  { command, index }: { readonly command: string; readonly index: number },
  { value }: Answer,
  changes: ReadonlyArray<Changed>
): Accepted => {
  if (value !== undefined) return { status: 200, body: value }
  const [changed] = changes
  // For a change that touched only this node's part of a record, the key only says that it was done.
  if (changed === undefined) return { status: 200 }
  switch (command) {
    case "Create":
    case "Put":
    case "Patch":
    case "Delete": {
      const status = statusOfChange(command, changed.change)
      return status === 204 ? { status } : { status, body: changed.record }
    }
    case "Bulk":
      return { status: 201, body: bodyOfBulk(changes) }
    default:
      return { status: 200, body: bodyOfTransaction(changes, index) }
  }
}
