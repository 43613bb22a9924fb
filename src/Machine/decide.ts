/**
 * What a command becomes: a transaction, an answer without one, or a rejection. Pure; only the deciding side runs it.
 * The tables are those after the last entry of the decider's own log, committed or not. D2.
 */
import { Result, type Schema } from "effect"
import type { EncodedRecord } from "../Model/Descriptor.ts"
import type { Command, Operation } from "./Command.ts"
import { decideKey } from "./decideKey.ts"
import { decideOperation } from "./decideOperation.ts"
import type { Event } from "./Event.ts"
import * as Overlay from "./Overlay.ts"
import * as Procedure from "./Procedure.ts"
import type { Rejection } from "./Rejection.ts"
import type { Tables } from "./Tables.ts"
import { encode, entryBytesMax, entryEventsMax, type Outcome, type Transaction } from "./Transaction.ts"

/** What one operation did. `index` is of the entry that last changed the record, `record` its encoded form (the last one, if deleted). */
export interface OperationAnswer {
  readonly change: "created" | "updated" | "deleted" | "unchanged"
  readonly model: string
  readonly id: string
  readonly version: number
  readonly index: number
  readonly createdIndex: number
  readonly record: EncodedRecord
}

/** What the client is told: one part for each operation, or the success of a declared command. */
export interface Answer {
  readonly timeMs: number
  readonly operations: ReadonlyArray<OperationAnswer>
  readonly value?: Schema.Json
}

/** An entry to append: `payload` is the encoded transaction. */
export interface Entry {
  readonly transaction: Transaction
  readonly payload: Uint8Array
}

/**
 * What is to be done. `Unchanged`, and `Rejected` without an entry, wait for a read-index round begun afterwards before
 * they are answered. `replayedIndex` tells a copy of a keyed request, and which entry holds the outcome that it is told.
 */
export type Decision =
  | ({ readonly _tag: "Accepted"; readonly answer: Answer } & Entry)
  | { readonly _tag: "Unchanged"; readonly answer: Answer; readonly replayedIndex?: number }
  /** A copy of a keyed request whose outcome the tables do not keep: the entry at that index tells it (Recall.ts). */
  | { readonly _tag: "Logged"; readonly replayedIndex: number }
  /** With an idempotency key a rejection is an entry: a delayed copy must not be done later. */
  | {
      readonly _tag: "Rejected"
      readonly rejection: Rejection
      readonly entry: Entry | undefined
      readonly replayedIndex?: number
    }

/** What the deciding side supplies: where the entry would stand, its clock, and fresh ids. */
export interface Circumstances {
  readonly index: number
  readonly nowMs: number
  readonly newId: () => string
}

/** The two times of an entry: for people, by the leader's wall clock; and for what expires, the age of the log. */
interface Times {
  readonly timeMs: number
  readonly logAgeMs: number
}

/** Decides a command. The tables stay as they are. */
export const decide = (
  tables: Tables,
  procedures: Procedure.Procedures,
  command: Command,
  circumstances: Circumstances & { readonly logAgeMs: number }
): Decision => {
  // Time never goes back across leaders, whatever their clocks say (D6).
  const timeMs = Math.max(tables.lastTimeMs, circumstances.nowMs)
  const times: Times = { timeMs, logAgeMs: Math.max(tables.logAgeMs, circumstances.logAgeMs) }
  const known = decideKey(tables, command, { index: circumstances.index, logAgeMs: times.logAgeMs })
  if (known !== undefined) return known
  if (command._tag === "Close") return reject(command, times, { _tag: "KeyClosed" })
  const decided = decideAll(tables, procedures, command, { ...circumstances, ...times })
  if (Result.isFailure(decided)) return reject(command, times, decided.failure)
  const { events, ...done } = decided.success
  const answer: Answer = { timeMs, ...done }
  if (events.length === 0 && command.key === undefined) return { _tag: "Unchanged", answer }
  const transaction = transactionOf(command, times, events, acceptedOf(command, answer))
  const payload = encode(transaction)
  if (payload.length > entryBytesMax) {
    return reject(command, times, { _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
  }
  return { _tag: "Accepted", answer, transaction, payload }
}

/** What the entry says of the answer besides its events: only a key makes anybody ask for it again. */
const acceptedOf = (command: Command, { operations, value }: Answer): Outcome => {
  if (!isKeyed(command)) return { _tag: "Accepted" }
  if (value !== undefined) return { _tag: "Accepted", value }
  const unchanged = [...operations.entries()]
    .filter(([, answer]) => answer.change === "unchanged")
    .map(([position, answer]) => ({ position, answer }))
  return unchanged.length === 0 ? { _tag: "Accepted" } : { _tag: "Accepted", unchanged }
}

/** Whether the outcome is remembered, if it is an entry. Only a key that a client knows makes one of what changes nothing. */
const isKeyed = ({ assignedKey, key }: Command): boolean => key !== undefined || assignedKey !== undefined

type Decided = Omit<Answer, "timeMs"> & { readonly events: ReadonlyArray<Event> }

const decideAll = (
  tables: Tables,
  procedures: Procedure.Procedures,
  command: Exclude<Command, { readonly _tag: "Close" }>,
  at: Overlay.Overlay["at"]
): Result.Result<Decided, Rejection> => {
  switch (command._tag) {
    case "Transact":
      return decideTogether(Overlay.make(tables, at, "request"), command.operations)
    case "Call": {
      const overlay = Overlay.make(tables, at, "command")
      return Result.map(Procedure.run(procedures, overlay, command), (value) => ({
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

/** Several operations see each other on an overlay, which is dropped: a refused one leaves no trace. */
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
    // No event tells it: it is in the answer whole, and in the entry where a key remembers that.
    unchangedCount += JSON.stringify(done.success).length
    if (overlay.bytesCount + unchangedCount > entryBytesMax) {
      return Result.fail({ operation: position, _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
    }
  }
  return Result.succeed({ events: overlay.events, operations })
}

/** A rejection is answered, and with a key it is an entry. A declared error alone is as long as its command makes it. */
const rejectionCharsMax = 1024 * 1024

const reject = (command: Command, times: Times, met: Rejection): Decision => {
  const isTooLong = JSON.stringify(met).length > rejectionCharsMax
  const rejection: Rejection = isTooLong ? { _tag: "TooLarge", limit: "bytes", max: rejectionCharsMax } : met
  // What another leader may be able to do is no outcome of the request.
  const isOutcome = command.key !== undefined && !isOfThisNode(rejection)
  if (!isOutcome) return { _tag: "Rejected", rejection, entry: undefined }
  const transaction = transactionOf(command, times, [], { _tag: "Rejected", rejection })
  return { _tag: "Rejected", rejection, entry: { transaction, payload: encode(transaction) } }
}

/** Whether the deciding node's code alone is the reason: it is too old. */
const isOfThisNode = ({ _tag }: Rejection): boolean => _tag === "UpgradeRequired" || _tag === "UnknownCommand"

const transactionOf = (
  command: Command,
  { logAgeMs, timeMs }: Times,
  events: ReadonlyArray<Event>,
  outcome: Outcome
): Transaction => ({
  timeMs,
  logAgeMs,
  ...(command.principal === undefined ? {} : { principal: command.principal }),
  ...(command.key === undefined ? {} : { key: command.key }),
  ...(command.key === undefined || command.fingerprint === undefined ? {} : { fingerprint: command.fingerprint }),
  ...(command.assignedKey === undefined ? {} : { assignedKey: command.assignedKey }),
  command: ("name" in command ? command.name : undefined) ?? command._tag,
  events,
  outcome
})
