/**
 * What a declared command does, as the machine sees it: a synchronous function from its payload to a success or a
 * rejection, which reads and changes records through what it is given and through nothing else. Pure. Only the deciding
 * side runs it; its events are all that the log carries (D2). Handlers that are Effects become procedures outside
 * of this room.
 */
import { Result, type Schema } from "effect"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { depthMax } from "../Model/PlainJson.ts"
import type { OperationAnswer } from "./Answer.ts"
import type { Call, Operation } from "./Command.ts"
import { known } from "./decideOperation.ts"
import { isTooDeep } from "./Json.ts"
import * as Lookup from "./Lookup.ts"
import * as Overlay from "./Overlay.ts"
import { showRow, unreadable } from "./ReadRow.ts"
import type { Rejection } from "./Rejection.ts"
import { entryBytesMax } from "./Transaction.ts"

/**
 * What one call may do, reads, records looked at and operations together: as many changes as an entry holds,
 * each after a read. It bounds for how long one call keeps the deciding node from its other work.
 */
export const callStepsMax = 20_000

/** A success travels to the node that was asked, with what is said of it: so much less than a frame may hold. */
const successBytesMax = entryBytesMax - 64 * 1024

/** Some records of a model, in the order of their ids. Each that is looked at is a step. */
export interface ListAccess extends Lookup.Wanted {
  readonly model: string
  readonly limit: number
}

/**
 * What a procedure may do. It sees its own changes. A rejection that {@link endsCall} is the end of the call, whatever
 * the procedure makes of it; any other is the procedure's to handle, and left nothing.
 */
export interface Access {
  /** The time of the entry, in ms since the epoch: never before that of an earlier entry. */
  readonly timeMs: number
  readonly newId: () => string
  /** The record, undefined if there is none. */
  readonly get: (model: string, id: string) => Result.Result<EncodedRecord | undefined, Rejection>
  readonly list: (request: ListAccess) => Result.Result<ReadonlyArray<EncodedRecord>, Rejection>
  readonly apply: (operation: Operation) => Result.Result<OperationAnswer, Rejection>
}

/** Synchronous, and it does not throw. The payload is as it was sent: nothing has checked it. */
export type Procedure = (access: Access, payload: unknown) => Result.Result<Schema.Json, Rejection>

/** The procedures of a node by the names of their commands. */
export type Procedures = ReadonlyMap<string, Procedure>

/** Of a node that declares no command. */
export const none: Procedures = new Map()

/** Whether nothing that the procedure does afterwards counts: a bound is passed, or this node's code does not fit the data. */
export const endsCall = ({ _tag }: Rejection): boolean =>
  _tag === "TooLarge" || _tag === "UpgradeRequired" || _tag === "UpgradePending" || _tag === "RecordUnreadable"

/** Runs the procedure of a call on an overlay, which then holds its events. */
export const run = (
  procedures: Procedures,
  overlay: Overlay.Overlay,
  { name, payload }: Call
): Result.Result<Schema.Json, Rejection> => {
  const procedure = procedures.get(name)
  if (procedure === undefined) return Result.fail({ _tag: "UnknownCommand", command: name })
  if (isTooDeep(payload)) {
    const errors = [{ path: "", message: `Expected at most ${depthMax} levels of nesting` }]
    return Result.fail({ _tag: "InvalidRequest", errors })
  }
  const { access, ended } = accessTo(overlay)
  const done = procedure(access, payload)
  const end = ended()
  if (end !== undefined) return Result.fail(end)
  const isTooLarge = Result.isSuccess(done) && Buffer.byteLength(JSON.stringify(done.success)) > successBytesMax
  return isTooLarge ? Result.fail({ _tag: "TooLarge", limit: "bytes", max: successBytesMax }) : done
}

/** Access to an overlay, and what has ended it, if anything has. */
const accessTo = (
  overlay: Overlay.Overlay
): { readonly access: Access; readonly ended: () => Rejection | undefined } => {
  const { at, tables } = overlay
  let stepsLeft = callStepsMax
  let end: Rejection | undefined
  const step = <A>(attempt: () => Result.Result<A, Rejection>): Result.Result<A, Rejection> => {
    if (end !== undefined) return Result.fail(end)
    stepsLeft -= 1
    const done = stepsLeft < 0 ? tooManySteps : attempt()
    if (Result.isFailure(done) && endsCall(done.failure)) end = done.failure
    return done
  }
  const access: Access = {
    timeMs: at.timeMs,
    newId: at.newId,
    get: (model, id) =>
      step(() =>
        Result.flatMap(known(tables, model), ({ table }): Result.Result<EncodedRecord | undefined, Rejection> => {
          const row = table.rows.get(id)
          return row === undefined ? absent : Result.mapError(showRow(table, row), unreadable({ model, id }))
        })
      ),
    list: ({ limit, ...wanted }) =>
      step(() =>
        Result.flatMap(known(tables, wanted.model), (model): Result.Result<ReadonlyArray<EncodedRecord>, Rejection> => {
          const found: Array<EncodedRecord> = []
          const keys = Lookup.keysOf(model, wanted)
          for (const [id, row] of Lookup.candidates(model, wanted)) {
            if (found.length === limit) break
            stepsLeft -= 1
            if (stepsLeft < 0) return tooManySteps
            const record = showRow(model.table, row)
            if (Result.isFailure(record)) return Result.fail(unreadable({ model: wanted.model, id })(record.failure))
            if (Lookup.isWanted(model, keys, record.success)) found.push(record.success)
          }
          return Result.succeed(found)
        })
      ),
    apply: (operation) => step(() => Overlay.apply(overlay, operation))
  }
  return { access, ended: () => end }
}

const absent = Result.succeed(undefined)

const tooManySteps: Result.Result<never, Rejection> = Result.fail({
  _tag: "TooLarge",
  limit: "steps",
  max: callStepsMax
})
