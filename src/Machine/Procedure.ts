/**
 * A declared command, as the machine sees it: a synchronous function from the payload to a success or a rejection. It
 * reads and changes records only through the access that it gets. Pure. Only the deciding node runs it, and the log
 * carries only its events (D2). Command turns handlers, which are Effects, into procedures.
 */
import { Result, type Schema } from "effect"
import { anonymous, type Caller } from "../Access/Caller.ts"
import { isEveryone } from "../Access/fold.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { depthMax } from "../Model/PlainJson.ts"
import type { OperationAnswer } from "./Answer.ts"
import type { Call, Operation } from "./Command.ts"
import { known } from "./decideOperation.ts"
import { type Guard, guardOf, isWithin, reachOf } from "./Guard.ts"
import { isTooDeep } from "./Json.ts"
import * as Lookup from "./Lookup.ts"
import * as Overlay from "./Overlay.ts"
import { showRow, unreadable } from "./ReadRow.ts"
import type { Rejection } from "./Rejection.ts"
import { unseenBy, without } from "./Seen.ts"
import type { Row } from "./Table.ts"
import type { Tables } from "./Tables.ts"
import type { KnownModel } from "./Target.ts"
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
  /** The same access as a caller has it: what that caller may not read is not there, and what it may not do is refused. */
  readonly as: (caller: Caller) => Access
  /** The time of the entry, in ms since the epoch. It is never before that of an earlier entry. */
  readonly timeMs: number
  /** The age of the log at the entry, in ms (LogAge.ts). */
  readonly logAgeMs: number
  readonly newId: () => string
  /** The span that the command is part of, as a `traceparent`; undefined if nobody wants it traced. */
  readonly trace: string | undefined
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

/**
 * Whether a rejection fails the whole call: the call or a set of its caller passed a limit, or this node's code does not
 * fit the data.
 */
export const endsCall = ({ _tag }: Rejection): boolean =>
  _tag === "TooLarge" ||
  _tag === "SetTooLarge" ||
  _tag === "UpgradeRequired" ||
  _tag === "UpgradePending" ||
  _tag === "RecordUnreadable"

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
  const accessAs = (acting?: Overlay.Acting): Access => ({
    caller: at.caller ?? anonymous,
    as: (caller) => accessAs({ caller, guard: guardOf(at.policy, caller) }),
    timeMs: at.timeMs,
    logAgeMs: at.logAgeMs,
    newId: at.newId,
    trace: at.trace,
    get: (model, id) =>
      step(() =>
        Result.flatMap(known(tables, model), (target) =>
          Result.flatMap(sightOf(tables, target, acting?.guard), (see) => {
            const row = target.table.rows.get(id)
            return row === undefined ? absent : see(id, row)
          })
        )
      ),
    list: ({ limit, ...wanted }) =>
      step(() =>
        Result.gen(function* () {
          const model = yield* known(tables, wanted.model)
          const unseen = unseenOf(model, acting?.guard).find((field) => Object.hasOwn(wanted.where, field))
          if (unseen !== undefined) return yield* unseenWhere(unseen)
          const see = yield* sightOf(tables, model, acting?.guard)
          const found: Array<EncodedRecord> = []
          const keys = Lookup.keysOf(model, wanted)
          for (const [id, row] of Lookup.candidates(model, wanted)) {
            if (found.length === limit) break
            stepsLeft -= 1
            if (stepsLeft < 0) return yield* tooManySteps
            const record = yield* see(id, row)
            if (record !== undefined && Lookup.isWanted(model, keys, record)) found.push(record)
          }
          return found as ReadonlyArray<EncodedRecord>
        })
      ),
    apply: (operation) =>
      step(() =>
        Result.map(Overlay.apply(overlay, operation, acting), (answer) => {
          const descriptor = tables.descriptors.get(operation.model)
          const unseen = descriptor === undefined ? [] : unseenOf({ descriptor }, acting?.guard)
          return unseen.length === 0 ? answer : { ...answer, record: without(unseen, answer.record) }
        })
      )
  })
  return { access: accessAs(), ended: () => end }
}

const absent = Result.succeed(undefined)

/** A record as the one sees it for whom a handler acts; undefined if it does not see it. */
type See = (id: string, row: Row) => Result.Result<EncodedRecord | undefined, Rejection>

/** How records of a model are seen. A handler that acts for nobody sees all of them. */
const sightOf = (
  tables: Tables,
  { descriptor, table }: KnownModel,
  guard: Guard | undefined
): Result.Result<See, Rejection> => {
  const model = descriptor.name
  if (guard === undefined) {
    return Result.succeed((id, row) => Result.mapError(showRow(table, row), unreadable({ model, id })))
  }
  if (!descriptor.isServed) return Result.succeed(() => absent)
  const unseen = unseenOf({ descriptor }, guard)
  return Result.map(
    reachOf(guard, tables, descriptor, "read"),
    (reach): See =>
      (id, row) => {
        const shown = showRow(table, row)
        if (Result.isFailure(shown)) {
          return isEveryone(reach) ? Result.fail(unreadable({ model, id })(shown.failure)) : absent
        }
        const record = shown.success
        const isSeen = isEveryone(reach) || isWithin(reach, table, descriptor.idField, { id, record })
        return isSeen ? Result.succeed(without(unseen, record)) : absent
      }
  )
}

const unseenOf = ({ descriptor }: Pick<KnownModel, "descriptor">, guard: Guard | undefined) =>
  guard === undefined ? [] : unseenBy(guard.policy, guard.caller, descriptor)

const unseenWhere = (field: string): Result.Result<never, Rejection> =>
  Result.fail({ _tag: "InvalidRequest", errors: [{ path: field, message: `${field} is not shown to this caller` }] })

const tooManySteps: Result.Result<never, Rejection> = Result.fail({
  _tag: "TooLarge",
  limit: "steps",
  max: callStepsMax
})
