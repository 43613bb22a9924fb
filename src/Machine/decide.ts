/**
 * Decides a command: the result is a transaction, an answer without one, or a rejection. Pure; only the deciding node
 * runs it. The tables are those after the last entry of its log, committed or not. D2.
 */
import { Result } from "effect"
import type { Answer, OperationAnswer } from "./Answer.ts"
import type { Circumstances } from "./Circumstances.ts"
import { type Command, isUpgrade, type Operation, type Upgrade } from "./Command.ts"
import type { CommandResult } from "./CommandResult.ts"
import * as DatedKey from "./DatedKey.ts"
import type { Decision } from "./Decision.ts"
import { decideKey } from "./decideKey.ts"
import { decideOperation } from "./decideOperation.ts"
import { decideUpgrade } from "./decideUpgrade.ts"
import type { Event } from "./Event.ts"
import * as Evidence from "./Evidence.ts"
import * as Format from "./Format.ts"
import { type Guard, refusedCall, spent } from "./Guard.ts"
import * as Overlay from "./Overlay.ts"
import * as Procedure from "./Procedure.ts"
import type { Rejection } from "./Rejection.ts"
import { type Stamp, transactionOf } from "./Stamp.ts"
import type { Tables } from "./Tables.ts"
import { encode, entryBytesMax, entryEventsMax, type Outcome } from "./Transaction.ts"

/** Decides a command. It leaves the tables unchanged. */
export const decide = (
  tables: Tables,
  procedures: Procedure.Procedures,
  command: Command,
  circumstances: Circumstances & { readonly logAgeMs: number; readonly formats: Format.Formats }
): Decision => {
  // Time never goes back across leaders, whatever their clocks say (D6).
  const timeMs = Math.max(tables.lastTimeMs, circumstances.nowMs)
  const stamp: Stamp = {
    timeMs,
    logAgeMs: Math.max(tables.logAgeMs, circumstances.logAgeMs),
    ...Format.beginning(tables, circumstances.formats),
    ...Evidence.carried(tables, circumstances.newId)
  }
  const refused = refusedCaller(tables, command, circumstances.guard, timeMs)
  if (refused !== undefined) return { result: rejected(refused), entry: undefined }
  const known = decideKey(tables, command, { index: circumstances.index, logAgeMs: stamp.logAgeMs })
  if (known !== undefined) return { result: known, entry: undefined }
  if (command._tag === "Close") return reject(command, stamp, { _tag: "KeyClosed" })
  if (isUpgrade(command)) return decideUpgrade(tables, command, stamp)
  const decided = decideAll(tables, procedures, command, { ...circumstances, ...stamp })
  if (Result.isFailure(decided)) return reject(command, stamp, decided.failure)
  const { events, overlay, ...done } = decided.success
  const answer: Answer = { timeMs, ...done }
  if (events.length === 0 && command.key === undefined) return { result: accepted(answer), entry: undefined }
  const transaction = transactionOf(command, stamp, events, acceptedOf(command, answer))
  const payload = encode(transaction, overlay?.texts)
  if (payload.length > entryBytesMax) {
    return reject(command, stamp, { _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
  }
  const decision: Decision = { result: accepted(answer), entry: { transaction, payload } }
  return overlay === undefined ? decision : { ...decision, overlay }
}

/**
 * Refuses a caller whose credential counts no more, also a copy of what it did before: a revocation holds from its entry
 * on. An anonymous caller closes dated keys alone: nobody guesses one of another caller.
 */
const refusedCaller = (
  tables: Tables,
  command: Command,
  guard: Guard | undefined,
  timeMs: number
): Rejection | undefined => {
  if (guard === undefined || isUpgrade(command)) return undefined
  if (guard.caller._tag === "Anonymous" && command._tag === "Close" && !isDated(command)) {
    return { _tag: "Unauthenticated" }
  }
  return spent(tables, guard, timeMs)
}

const isDated = ({ key = "" }: Command): boolean => DatedKey.parse(key) !== undefined

const accepted = (answer: Answer): CommandResult => ({ _tag: "Accepted", answer })

const rejected = (rejection: Rejection): CommandResult => ({ _tag: "Rejected", rejection })

/** The part of the answer that the entry holds besides its events. Only a key makes a client ask for it again. */
const acceptedOf = (command: Command, { operations, value }: Answer): Outcome => {
  if (!isKeyed(command)) return { _tag: "Accepted" }
  if (value !== undefined) return { _tag: "Accepted", value }
  const unchanged = [...operations.entries()]
    .filter(([, answer]) => answer.change === "unchanged")
    .map(([position, answer]) => ({ position, answer }))
  return unchanged.length === 0 ? { _tag: "Accepted" } : { _tag: "Accepted", unchanged }
}

/** Whether the outcome is remembered if it is an entry. An entry without changes is made only for a client's key. */
const isKeyed = ({ assignedKey, key }: Command): boolean => key !== undefined || assignedKey !== undefined

type Decided = Omit<Answer, "timeMs"> & {
  readonly events: ReadonlyArray<Event>
  readonly overlay?: Overlay.Overlay
}

const decideAll = (
  tables: Tables,
  procedures: Procedure.Procedures,
  command: Exclude<Command, Upgrade | { readonly _tag: "Close" }>,
  at: Overlay.Overlay["at"]
): Result.Result<Decided, Rejection> => {
  switch (command._tag) {
    case "Transact":
      return decideTogether(Overlay.make(tables, at, "request"), command.operations)
    case "Call": {
      const refused = at.guard === undefined ? undefined : refusedCall(at.guard, tables, command.name)
      if (refused !== undefined) return Result.fail(refused)
      const overlay = Overlay.make(tables, at, "command")
      return Result.map(Procedure.run(procedures, overlay, command), (value) => ({
        overlay,
        events: overlay.events,
        operations: [],
        value
      }))
    }
    case "Create":
    case "Put":
    case "Patch":
    case "Delete":
      return Result.map(decideOperation(tables, command, at, "request"), ({ answer, events }) => ({
        events,
        operations: [answer]
      }))
  }
}

/** Several operations see each other on an overlay, which is dropped, so a refused one leaves no trace. */
const decideTogether = (
  overlay: Overlay.Overlay,
  asked: ReadonlyArray<Operation>
): Result.Result<Decided, Rejection> => {
  if (asked.length > entryEventsMax) {
    return Result.fail({ _tag: "TooLarge", limit: "events", max: entryEventsMax })
  }
  const operations: Array<OperationAnswer> = []
  let unchangedCount = 0
  for (const [position, operation] of asked.entries()) {
    const done = Overlay.apply(overlay, operation)
    if (Result.isFailure(done)) return Result.fail({ operation: position, ...done.failure })
    operations.push(done.success)
    if (done.success.change !== "unchanged") continue
    // No event holds this record, so the answer holds it whole, and so does the entry if a key remembers it.
    unchangedCount += JSON.stringify(done.success).length
    if (overlay.bytesCount + unchangedCount > entryBytesMax) {
      return Result.fail({ operation: position, _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
    }
  }
  return Result.succeed({ overlay, events: overlay.events, operations })
}

/** The limit on a rejection, which is answered and, with a key, is an entry. Only a declared error can be that long. */
const rejectionCharsMax = 1024 * 1024

const reject = (command: Command, stamp: Stamp, met: Rejection): Decision => {
  const isTooLong = JSON.stringify(met).length > rejectionCharsMax
  const rejection: Rejection = isTooLong ? { _tag: "TooLarge", limit: "bytes", max: rejectionCharsMax } : met
  // A rejection that may end with the next leader or credential is no outcome of the request.
  const isOutcome = command.key !== undefined && !mayEnd(rejection)
  if (!isOutcome) return { result: rejected(rejection), entry: undefined }
  const transaction = transactionOf(command, stamp, [], { _tag: "Rejected", rejection })
  return { result: rejected(rejection), entry: { transaction, payload: encode(transaction) } }
}

/** Whether the same request may be done later: by a node whose code fits the data, or once its caller has signed in. */
const mayEnd = ({ _tag }: Rejection): boolean =>
  _tag === "UpgradeRequired" ||
  _tag === "UpgradePending" ||
  _tag === "UnknownCommand" ||
  _tag === "RecordUnreadable" ||
  // The caller may sign in and send the same request again, with the same key.
  _tag === "Unauthenticated"
