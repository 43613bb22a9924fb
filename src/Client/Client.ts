/**
 * A typed client of a cluster. Requests and answers have the types that models, commands and projections declare. It
 * needs an `HttpClient` and nothing of a node, so that a browser can use it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpClient from "effect/http/HttpClient"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { type Any, decodeError, tagOf } from "../Command/Declaration.ts"
import { kindOfError } from "../Command/DeclaredProblem.ts"
import { OperationAnswer } from "../Http/OperationAnswer.ts"
import { commandPath, operationPath } from "../Http/Paths.ts"
import { jsonEncoder } from "../Model/JsonEncoder.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import type { Problem } from "../Problem.ts"
import { UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { ChangeOptions } from "../Repository/ModelRepository.ts"
import type { Asked } from "./Asked.ts"
import { decoded, isProblem, misfit } from "./Failure.ts"
import * as Records from "./Records.ts"
import * as Sending from "./Sending.ts"
import * as States from "./States.ts"
import * as Transacting from "./Transacting.ts"

/**
 * A client of one cluster. It asks one of its nodes, and another one if that fails. It sends every change with an
 * idempotency key, the caller's or its own, until the outcome is final. So a change is done at most once, even if nodes
 * die meanwhile.
 */
export class Client extends Context.Service<
  Client,
  {
    /** Gives the records of a model. */
    readonly records: <M extends RowClass>(model: M) => Records.ModelRecords<M>
    /** Runs a declared command. Fails with the errors that the command declares, or with `WriteFailure`. */
    readonly run: <C extends Any>(
      command: C,
      payload: C["payload"]["Type"],
      options?: ChangeOptions
    ) => Effect.Effect<C["success"]["Type"], C["errors"][number]["Type"] | Records.WriteFailure>
    /** Changes records of one or more models as one entry: all or none. */
    readonly transact: Transacting.Transact
    /** Reads projections. */
    readonly projections: States.States
    /** Finds the outcome of the change with a key. */
    readonly operation: (key: string) => Effect.Effect<OperationAnswer, Records.ReadFailure>
    /** Finds the outcome too. If the change was not done, it never will be: the cluster refuses copies that are under way. */
    readonly closeOperation: (key: string) => Effect.Effect<OperationAnswer, Records.ReadFailure | UnknownOutcome>
  }
>()("lithair/Client") {}

const run = (sending: Sending.Sending) =>
  Effect.fnUntraced(function* (command: Any, value: unknown, { key }: ChangeOptions = {}) {
    const body = yield* misfit(jsonEncoder(command.payload)(value))
    const asked = { method: "POST", path: commandPath(command), body } as const
    const answered = yield* sending
      .change(asked, key)
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
const becameOf = Effect.fnUntraced(function* (sending: Sending.Sending, asked: Asked) {
  const known = yield* decoded(decodeOperation((yield* sending.ask(asked)).body))
  if (known.state !== "absent") return known
  return yield* decoded(decodeOperation((yield* sending.ask({ ...asked, isOfOneNode: true })).body))
})

const decodeOperation = Schema.decodeUnknownResult(OperationAnswer)

/**
 * Makes a client of the cluster with these nodes.
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
export const make = (options: Sending.ClientOptions): Effect.Effect<Client["Service"], never, HttpClient.HttpClient> =>
  Effect.map(HttpClient.HttpClient, (http) => {
    const sending = Sending.make(http, options)
    return Client.of({
      records: (model) => Records.make(sending, model),
      run: run(sending) as unknown as Client["Service"]["run"],
      transact: Transacting.make(sending),
      projections: States.make(sending),
      operation: (key) => becameOf(sending, { method: "GET", path: operationPath(key) }),
      closeOperation: (key) =>
        Effect.mapError(becameOf(sending, { method: "DELETE", path: operationPath(key) }), (failure) =>
          failure._tag === "Problem" && isProblem(failure, "unknown-outcome")
            ? new UnknownOutcome({ key, message: failure.detail })
            : failure
        )
    })
  })

/** Gives the client as a layer. */
export const layer = (options: Sending.ClientOptions): Layer.Layer<Client, never, HttpClient.HttpClient> =>
  Layer.effect(Client, make(options))
