/**
 * A declared command, as the machine sees it: a synchronous function from the payload to a success or a rejection. It
 * reads and changes records only through the access that it gets. Pure. Only the deciding node runs it, and the log
 * carries only its events (D2). Command turns handlers, which are Effects, into procedures.
 */
import { Result, type Schema } from "effect"
import { anonymous, type Caller } from "../Access/Caller.ts"
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
 * The limit on the reads, listed records and operations of one call, all together: as many changes as an entry holds,
 * each after a read. So one call cannot keep the deciding node from its other work for long.
 */
export const callStepsMax = 20_000

/** The limit on a success, which travels to the node that was asked in one frame, with other fields around it. */
const successBytesMax = entryBytesMax - 64 * 1024

/** Asks for some records of a model, in the order of their ids. Each record that the list looks at is a step. */
export interface ListAccess extends Lookup.Wanted {
  readonly model: string
  readonly limit: number
}

/**
 * The access of a procedure to records. It sees its own changes. After a rejection that {@link endsCall} the call fails,
 * whatever the procedure returns. Any other rejection changed nothing, and the procedure may handle it.
 */
export interface Access {
  /** Who called the command. */
  readonly caller: Caller
  /** The time of the entry, in ms since the epoch. It is never before that of an earlier entry. */
  readonly timeMs: number
  readonly newId: () => string
  /** The record, undefined if there is none. */
  readonly get: (model: string, id: string) => Result.Result<EncodedRecord | undefined, Rejection>
  readonly list: (request: ListAccess) => Result.Result<ReadonlyArray<EncodedRecord>, Rejection>
  readonly apply: (operation: Operation) => Result.Result<OperationAnswer, Rejection>
}

/** Synchronous; it does not throw. The payload is as the client sent it, unchecked. */
export type Procedure = (access: Access, payload: unknown) => Result.Result<Schema.Json, Rejection>

/** The procedures of a node by the names of their commands. */
export type Procedures = ReadonlyMap<string, Procedure>

/** The procedures of a node that declares no command. */
export const none: Procedures = new Map()

/** Whether a rejection fails the whole call: the call passed a limit, or this node's code does not fit the data. */
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

/** Access to an overlay, and the rejection that ended the call, if one has. */
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
    caller: at.caller ?? anonymous,
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
