/**
 * The one way in which a program uses a cluster, wherever the program runs. On a node, `Lithair.layer` provides it
 * (near/). Elsewhere, `Client.layer` does, over HTTP (far/). It loads nothing of a node, so that a browser can use it.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type { Any } from "../Command/Declaration.ts"
import type { OperationAnswer } from "../Http/OperationAnswer.ts"
import type { RowClass } from "../Model/RowCodecs.ts"
import type { UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { Transact } from "./Change.ts"
import type { FollowSeveral } from "./ChangeStream.ts"
import type { ReadFailure, WriteFailure } from "./Failure.ts"
import type { ChangeOptions, ModelRepository } from "./ModelRepository.ts"
import type { States } from "./States.ts"

/**
 * Records, commands and projections of a cluster: the same methods, results and errors on a node and far from it.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { FetchHttpClient } from "effect/http"
 * import { Client, Lithair, Model, Repository } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * const rename = Effect.fnUntraced(function* (from: string, to: string) {
 *   const { records } = yield* Repository.Repository
 *   const products = records(Product)
 *   const { items } = yield* products.list({ where: [["name", "eq", from]] })
 *   for (const { row, version } of items) yield* products.patch(row.id, { name: to }, { ifVersion: version })
 * })
 *
 * export const elsewhere = rename("Anvil", "Hammer").pipe(
 *   Effect.provide(Client.layer({ nodes: ["http://127.0.0.1:8081"] })),
 *   Effect.provide(FetchHttpClient.layer)
 * )
 * export const onNode = rename("Anvil", "Hammer").pipe(
 *   Effect.provide(Lithair.layer({ models: [Product] })),
 *   Effect.provide(Lithair.layerMemory),
 *   Lithair.supervise
 * )
 * ```
 */
export class Repository extends Context.Service<
  Repository,
  {
    /** Gives the records of a model. */
    readonly records: <M extends RowClass>(model: M) => ModelRepository<M>
    /** Runs a declared command. Fails with the errors that the command declares, or with `WriteFailure`. */
    readonly run: <C extends Any>(
      command: C,
      payload: C["payload"]["Type"],
      options?: ChangeOptions
    ) => Effect.Effect<C["success"]["Type"], C["errors"][number]["Type"] | WriteFailure>
    /** Changes records of one or more models as one entry: all or none. */
    readonly transact: Transact
    /** Follows the committed changes of several models in one stream, in order. */
    readonly changes: FollowSeveral
    /** Reads projections. */
    readonly projections: States
    /** Finds the outcome of the change with a key. */
    readonly operation: (key: string) => Effect.Effect<OperationAnswer, ReadFailure>
    /** Finds the outcome too. If the change was not done, it never will be: the cluster refuses copies that are under way. */
    readonly closeOperation: (key: string) => Effect.Effect<OperationAnswer, ReadFailure | UnknownOutcome>
  }
>()("lithair/Repository") {}

/**
 * Gives the records of a model: `records` of the {@link Repository}.
 *
 * @example
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Model, Repository } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String),
 *   name: Schema.NonEmptyString.pipe(Model.replicate),
 *   stock: Schema.Int
 * }) {}
 *
 * const restock = Effect.fnUntraced(function* (id: string, count: number) {
 *   const products = yield* Repository.make(Product)
 *   const { row, version } = yield* Effect.flatMap(products.get(id), Effect.fromOption)
 *   return yield* products.patch(id, { stock: row.stock + count }, { ifVersion: version })
 * })
 * ```
 */
export const make = <M extends RowClass>(model: M): Effect.Effect<ModelRepository<M>, never, Repository> =>
  Effect.map(Repository, ({ records }) => records(model))
