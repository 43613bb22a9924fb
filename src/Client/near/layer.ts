/** The repository of a node's own code: it calls the services of its node, and no request leaves the process. */
import { Effect, Layer } from "effect"
import { Member } from "../../Cluster/Member.ts"
import type { Any } from "../../Command/Declaration.ts"
import { operationAnswer } from "../../Http/OperationRoutes.ts"
import { Serving } from "../../Http/Serving.ts"
import { LocalNode } from "../../Local/LocalNode.ts"
import type { RowClass } from "../../Model/RowCodecs.ts"
import { Projections } from "../../Projection/Projections.ts"
import { NotDone, UnknownOutcome } from "../../Raft/node/Outcome.ts"
import { Refused } from "../../Repository/Changed.ts"
import { Commands } from "../../Repository/Commands.ts"
import * as Operations from "../../Repository/Operations.ts"
import { Records } from "../../Repository/Records.ts"
import { checkKey } from "../Id.ts"
import type { ChangeOptions, ModelRepository } from "../ModelRepository.ts"
import { Repository } from "../Repository.ts"
import { failureOf } from "./Failure.ts"
import { makeSession } from "./Reading.ts"
import * as NearRecords from "./Records.ts"
import * as Served from "./Served.ts"
import * as States from "./States.ts"
import * as Transacting from "./Transacting.ts"

const make = Effect.gen(function* () {
  const records = yield* Records
  const commands = yield* Commands
  const projections = yield* Projections
  const serving = yield* Serving
  const operations = Operations.make({ member: yield* Member, local: yield* LocalNode })
  const session = makeSession()
  const served = Served.make(serving)
  const transactEncoded = Transacting.makeEncoded(records, session, served)

  const run = (command: Any, payload: unknown, { key }: ChangeOptions = {}) =>
    Effect.andThen(served.command(command), commands.run(command, payload, key === undefined ? {} : { key })).pipe(
      Effect.mapError((error: unknown) =>
        error instanceof Refused || error instanceof NotDone || error instanceof UnknownOutcome
          ? failureOf(error, { key, command })
          : error
      )
    )

  return Repository.of({
    records: <M extends RowClass>(model: M) =>
      served.hasModel(model)
        ? NearRecords.make({ records, session, transactEncoded }, model)
        : (Served.noRecords(model) as unknown as ModelRepository<M>),
    run: run as unknown as Repository["Service"]["run"],
    transact: Transacting.make(transactEncoded),
    projections: States.make(projections, session, served),
    operation: Effect.fnUntraced(function* (key) {
      yield* checkKey(key)
      const found = yield* Effect.mapError(operations.ask({ key }), (failure) => failure.toProblem())
      yield* session.saw(found)
      return operationAnswer(serving.commands, found, key)
    }),
    closeOperation: Effect.fnUntraced(function* (key) {
      yield* checkKey(key)
      const found = yield* Effect.mapError(operations.close({ key }), (failure) => failureOf(failure, { key }))
      yield* session.saw(found)
      return operationAnswer(serving.commands, found, key)
    })
  })
})

/** Provides the `Repository` of a node. */
export const layer: Layer.Layer<Repository, never, Records | Commands | Projections | Serving | Member | LocalNode> =
  Layer.effect(Repository, make)
