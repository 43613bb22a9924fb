/** Transactions by the services of a node. docs/http.md, "Transactions". */
import { Effect, Result } from "effect"
import type { Caller } from "../../Access/Caller.ts"
import { operationsMax, tooMany } from "../../Http/TransactionRequest.ts"
import type { Operation } from "../../Machine/Command.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import type { Problem } from "../../Problem.ts"
import type { UnknownOutcome } from "../../Raft/node/Outcome.ts"
import type { Records } from "../../Repository/Records.ts"
import { type Change, type Done, type EncodedChange, encodedChanges, type Transact, withLost } from "../Change.ts"
import { misfit, Unreadable } from "../Failure.ts"
import type { ChangeOptions } from "../ModelRepository.ts"
import * as Request from "../Request.ts"
import { failureOf } from "./Failure.ts"
import { originOfChange } from "./Origin.ts"
import type { Session } from "./Reading.ts"
import type { ServedHere } from "./Served.ts"

/** Makes encoded changes as one transaction. */
export type TransactEncoded = (
  changes: ReadonlyArray<EncodedChange>,
  options?: ChangeOptions
) => Effect.Effect<ReadonlyArray<Done<RowClass>>, Problem | UnknownOutcome | Unreadable>

/** Makes transactions of encoded changes over the records of a node. */
export const makeEncoded =
  (caller: Caller, records: Records["Service"], session: Session, served: ServedHere): TransactEncoded =>
  (encoded, { key } = {}) =>
    Effect.gen(function* () {
      if (encoded.length > operationsMax) return yield* tooMany("operations")
      yield* served.changes(encoded)
      const changes = encoded.map((change) => ({ descriptor: change.descriptor, operation: operationOf(change) }))
      const origin = yield* originOfChange(Request.transact(encoded), key)
      const done = yield* records.transact(caller, { changes, ...origin }).pipe(
        session.watch,
        Effect.mapError((failure) => failureOf(failure, { key }))
      )
      return yield* Effect.fromResult(
        Result.all(
          done.changes.map(({ change, id, record, version }, position): Result.Result<Done<RowClass>, Unreadable> => {
            const { descriptor, model } = encoded[position]!
            if (change === "deleted") return Result.succeed({ id, version, row: undefined })
            return Result.mapBoth(codecsOf(model).decode(record), {
              onFailure: ({ message }) => new Unreadable({ message }),
              onSuccess: (row) => withLost(done.isLocalPartLost, descriptor, { id, version, row })
            })
          })
        )
      )
    })

/** Makes transactions. */
export const make = (transactEncoded: TransactEncoded): Transact =>
  ((changes: ReadonlyArray<Change<RowClass>>, options?: ChangeOptions) =>
    Effect.flatMap(misfit(encodedChanges(changes)), (encoded) =>
      transactEncoded(encoded, options)
    )) as unknown as Transact

const operationOf = ({ data = {}, descriptor, id = "", ifVersion, op }: EncodedChange): Operation => {
  const model = descriptor.name
  const condition = ifVersion === undefined ? {} : { ifMatch: [ifVersion] }
  switch (op) {
    case "create":
      return { _tag: "Create", model, data }
    case "put":
      return { _tag: "Put", model, id, data, ...condition }
    case "patch":
      return { _tag: "Patch", model, id, data, ...condition }
    case "delete":
      return { _tag: "Delete", model, id, ...condition }
  }
}
