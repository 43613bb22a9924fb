/** The part of an entry that is the same whatever is decided. Pure. */
import type { Command } from "./Command.ts"
import type { Event } from "./Event.ts"
import type { Outcome, Transaction } from "./Transaction.ts"

/** Two times: the leader's wall clock, for people, and the age of the log, for expiry. The first entry has a format. */
export interface Stamp {
  readonly timeMs: number
  readonly logAgeMs: number
  /** The format in which a log begins (Format.ts). */
  readonly format?: number
  /** What an entry of a log with a chain of digests carries (Evidence.ts). */
  readonly previous?: string
  readonly salt?: string
}

/** The transaction of a decided command. */
export const transactionOf = (
  command: Command,
  { format, logAgeMs, previous, salt, timeMs }: Stamp,
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
  outcome,
  ...(format === undefined ? {} : { format }),
  ...(previous === undefined ? {} : { previous }),
  ...(salt === undefined ? {} : { salt })
})
