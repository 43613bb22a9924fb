/**
 * The tables as the operations of one entry leave them, one after another: each sees those before it. Pure but for the
 * draft that it owns: if the entry is refused, dropping the draft leaves no trace; otherwise the draft takes the place of
 * the tables. An overlay that would grow past the bounds of an entry refuses the operation that does so.
 */
import { Result } from "effect"
import type { Caller } from "../Access/Caller.ts"
import type { OperationAnswer } from "./Answer.ts"
import type { Author } from "./Author.ts"
import type { Circumstances } from "./Circumstances.ts"
import type { Operation } from "./Command.ts"
import { decideOperation } from "./decideOperation.ts"
import type { Event } from "./Event.ts"
import { evolveEvent } from "./evolve.ts"
import type { Guard } from "./Guard.ts"
import type { Rejection } from "./Rejection.ts"
import * as Tables from "./Tables.ts"
import { entryBytesMax, entryEventsMax } from "./Transaction.ts"

/** Owned and changed in place. */
export interface Overlay {
  readonly tables: Tables.Tables
  readonly at: Circumstances & { readonly timeMs: number; readonly logAgeMs: number }
  readonly author: Author
  readonly events: Array<Event>
  /** The change of each event. */
  readonly changed: Array<OperationAnswer>
  /** The JSON text of each event, which becomes part of the entry's. */
  readonly texts: Array<string>
  /** The length of all texts so far. The entry is no shorter. */
  bytesCount: number
}

/** An overlay of tables that it does not change. */
export const make = (tables: Tables.Tables, at: Overlay["at"], author: Author): Overlay => ({
  tables: Tables.draft(tables),
  at,
  author,
  events: [],
  changed: [],
  texts: [],
  bytesCount: 0
})

/** For whom a handler acts, and what that caller may do; without a guard no rule holds for it. */
export interface Acting {
  readonly caller: Caller
  readonly guard: Guard | undefined
}

/** Decides one more operation, and applies it here. A refused operation changes nothing. */
export const apply = (
  overlay: Overlay,
  operation: Operation,
  acting?: Acting
): Result.Result<OperationAnswer, Rejection> => {
  const { author, events, tables, texts } = overlay
  const at = acting === undefined ? overlay.at : actingAt(overlay.at, acting)
  const decided = decideOperation(tables, operation, at, author)
  if (Result.isFailure(decided)) return Result.fail(decided.failure)
  const { answer, events: own } = decided.success
  if (events.length + own.length > entryEventsMax) {
    return Result.fail({ _tag: "TooLarge", limit: "events", max: entryEventsMax })
  }
  let { bytesCount } = overlay
  const ownTexts: Array<string> = []
  for (const event of own) {
    const text = JSON.stringify(event)
    bytesCount += text.length
    if (bytesCount > entryBytesMax) return Result.fail({ _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
    ownTexts.push(text)
  }
  overlay.bytesCount = bytesCount
  for (const [position, event] of own.entries()) {
    events.push(event)
    texts.push(ownTexts[position]!)
    overlay.changed.push(evolveEvent(tables, at.index, event))
  }
  return Result.succeed(answer)
}

const actingAt = (at: Overlay["at"], { caller, guard }: Acting): Overlay["at"] =>
  guard === undefined ? { ...at, caller } : { ...at, caller, acting: guard }
