/** The repository of a node's own code: it calls the services of its node, and no request leaves the process. */
import { Context, Effect, Layer, type Schema } from "effect"
import { type Caller, system } from "../../Access/Caller.ts"
import { Changes } from "../../Changes/Changes.ts"
import { Member } from "../../Cluster/Member.ts"
import type { OperationAnswer } from "../../Http/OperationAnswer.ts"
import { operationAnswer } from "../../Http/OperationRoutes.ts"
import { Serving } from "../../Http/Serving.ts"
import { LiveQueries } from "../../Live/LiveQueries.ts"
import { LocalNode } from "../../Local/LocalNode.ts"
import { copyOf } from "../../Model/PlainJson.ts"
import type { RowClass } from "../../Model/RowCodecs.ts"
import { Projections } from "../../Projection/Projections.ts"
import { Commands } from "../../Repository/Commands.ts"
import * as Operations from "../../Repository/Operations.ts"
import { Records } from "../../Repository/Records.ts"
import { Acting } from "../Acting.ts"
import { checkKey } from "../Id.ts"
import type { ModelRepository } from "../ModelRepository.ts"
import { Repository } from "../Repository.ts"
import * as Following from "./Changes.ts"
import { failureOf } from "./Failure.ts"
import { makeSession } from "./Reading.ts"
import * as NearRecords from "./Records.ts"
import * as Running from "./Running.ts"
import * as Served from "./Served.ts"
import * as States from "./States.ts"
import * as Transacting from "./Transacting.ts"

const make = Effect.gen(function* () {
  const records = yield* Records
  const projections = yield* Projections
  const serving = yield* Serving
  const member = yield* Member
  const operations = Operations.make({ member, local: yield* LocalNode })
  const live = yield* LiveQueries
  const following = { changes: yield* Changes, member }
  const commands = yield* Commands
  const served = Served.make(serving)

  /** A copy: the machine and its tables hold the original. */
  const ownAnswer = (operation: Operations.Operation, key: string): OperationAnswer => {
    const answer = operationAnswer(serving.commands, operation, key)
    return answer.body === undefined ? answer : { ...answer, body: copyOf(answer.body as Schema.Json) }
  }

  const actingAs = (caller: Caller): Repository["Service"] => {
    const session = makeSession()
    const transactEncoded = Transacting.makeEncoded(caller, records, session, served)
    const run = Running.make(caller, commands, session)
    return Repository.of({
      records: <M extends RowClass>(model: M) =>
        served.hasModel(model)
          ? NearRecords.make({ caller, following, live, records, session, transactEncoded }, model)
          : (Served.noRecords(model) as unknown as ModelRepository<M>),
      run: (command, ...asked) => Effect.andThen(served.command(command), run(command, ...asked)),
      transact: Transacting.make(transactEncoded),
      changes: Following.several({ ...following, caller }, served.model),
      projections: States.make(caller, projections, session, served, member),
      operation: Effect.fnUntraced(function* (key) {
        yield* checkKey(key)
        const asked = session.watch(operations.ask(caller, key))
        const found = yield* Effect.mapError(asked, (failure) => failure.toProblem())
        return ownAnswer(found, key)
      }),
      closeOperation: Effect.fnUntraced(function* (key) {
        yield* checkKey(key)
        const closed = session.watch(operations.close(caller, key))
        const found = yield* Effect.mapError(closed, (failure) => failureOf(failure, { key }))
        return ownAnswer(found, key)
      })
    })
  }
  return { actingAs, own: actingAs(system) }
})

/** Provides the `Repository` of a node, which acts as the application itself, and {@link Acting}. */
export const layer: Layer.Layer<
  Repository | Acting,
  never,
  Records | Changes | LiveQueries | Commands | Projections | Serving | Member | LocalNode
> = Layer.effectContext(
  Effect.map(make, ({ actingAs, own }) => Context.make(Repository, own).pipe(Context.add(Acting, { as: actingAs })))
)
