/**
 * The repository of a program far from its nodes: it asks one of them over HTTP, and another one if that fails. It sends
 * every change with an idempotency key, the caller's or its own, until the outcome is final. So a change is done at most
 * once, even if nodes die meanwhile. It needs an `HttpClient` and nothing of a node, so that a browser can use it.
 */
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Any, decodeError, tagOf } from "../../Command/Declaration.ts"
import { kindOfError } from "../../Command/DeclaredProblem.ts"
import { OperationAnswer } from "../../Http/OperationAnswer.ts"
import { operationPath } from "../../Http/Paths.ts"
import { jsonEncoder } from "../../Model/JsonEncoder.ts"
import type { Problem } from "../../Problem.ts"
import { UnknownOutcome } from "../../Raft/node/Outcome.ts"
import { isProblem, misfit } from "../Failure.ts"
import { checkKey } from "../Id.ts"
import type { ChangeOptions } from "../ModelRepository.ts"
import { Repository } from "../Repository.ts"
import * as Request from "../Request.ts"
import { decoded } from "./Answer.ts"
import type { Asked } from "./Asked.ts"
import { followSeveral } from "./Changes.ts"
import * as LiveConnection from "./LiveConnection.ts"
import * as Records from "./Records.ts"
import * as Sending from "./Sending.ts"
import * as States from "./States.ts"
import * as Transacting from "./Transacting.ts"

const run = (sending: Sending.Sending) =>
  Effect.fnUntraced(function* (command: Any, value: unknown, { key }: ChangeOptions = {}) {
    const body = yield* misfit(jsonEncoder(command.payload)(value))
    const answered = yield* sending
      .change(Request.call(command, body), key)
      .pipe(Effect.mapError((failure) => Option.getOrElse(declaredOf(command, failure), () => failure)))
    return yield* decoded(Schema.decodeUnknownResult(Schema.toCodecJson(command.success))(answered.body))
  })

/** The command's error in a problem, if this client knows it. */
const declaredOf = ({ errors }: Any, failure: Problem | UnknownOutcome): Option.Option<unknown> => {
  if (failure._tag !== "Problem") return Option.none()
  const tag = errors.map(tagOf).find((each) => kindOfError(each) === failure.kind)
  return tag === undefined ? Option.none() : decodeError(errors, { ...failure.members, _tag: tag })
}

/** Asks for the outcome of a key. Only the node itself knows the keys of changes to its own data. */
const becameOf = Effect.fnUntraced(function* (sending: Sending.Sending, method: "GET" | "DELETE", key: string) {
  yield* checkKey(key)
  const asked: Asked = { method, path: operationPath(key) }
  const known = yield* decoded(decodeOperation((yield* sending.ask(asked)).body))
  if (known.state !== "absent") return known
  return yield* decoded(decodeOperation((yield* sending.ask({ ...asked, isOfOneNode: true })).body))
})

const decodeOperation = Schema.decodeUnknownResult(OperationAnswer)

/**
 * Makes a repository of the cluster with these nodes.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Client, Command, Model } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   stock: Schema.Int.pipe(Model.replicate)
 * }) {}
 * class SoldOut extends Schema.TaggedError<SoldOut>()("SoldOut", { left: Schema.Int }) {}
 * const buy = Command.make("buy", {
 *   payload: Schema.Struct({ productId: Schema.String, count: Schema.Int }),
 *   success: Product,
 *   error: [SoldOut]
 * })
 *
 * export const buyTwo = Effect.gen(function* () {
 *   const client = yield* Client.make({ nodes: ["http://127.0.0.1:8081", "http://127.0.0.1:8082"] })
 *   const { id } = yield* Effect.map(client.records(Product).create({ stock: 5 }), ({ row }) => row)
 *   return yield* client.run(buy, { productId: id, count: 2 })
 * }).pipe(
 *   Effect.catchTag("SoldOut", ({ left }) => Effect.fail(`only ${left} left`)),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 * ```
 */
export const make = (
  options: Sending.ClientOptions
): Effect.Effect<Repository["Service"], never, HttpClient.HttpClient> =>
  Effect.map(HttpClient.HttpClient, (http) => {
    const sending = Sending.make(http, options)
    const live = LiveConnection.make(sending)
    return Repository.of({
      records: (model) => Records.make(sending, live, model),
      run: run(sending) as unknown as Repository["Service"]["run"],
      transact: Transacting.make(sending),
      changes: followSeveral(sending.reached),
      projections: States.make(sending),
      operation: (key) => becameOf(sending, "GET", key),
      closeOperation: (key) =>
        Effect.mapError(becameOf(sending, "DELETE", key), (failure) =>
          failure._tag === "Problem" && isProblem(failure, "unknown-outcome")
            ? new UnknownOutcome({ key, message: failure.detail })
            : failure
        )
    })
  })

/** Provides the `Repository` of a program that is not on a node. */
export const layer = (options: Sending.ClientOptions): Layer.Layer<Repository, never, HttpClient.HttpClient> =>
  Layer.effect(Repository, make(options))
