/**
 * Checks the answers to the writes of a simulated cluster's clients against the committed log: acknowledged writes are
 * there, refused ones never are, and each key is used once. The judge of the history checks the reads at the end.
 * docs/guarantees.md; C17, C18.
 */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { CommandResult } from "../../Machine/CommandResult.ts"
import type { Event } from "../../Machine/Event.ts"
import type { KeyStatus } from "../../Machine/KeyStatus.ts"
import { decode } from "../../Machine/Transaction.ts"
import type { Answered } from "../../Raft/node/Answered.ts"
import { fail } from "./Failure.ts"

import * as Keys from "./Keys.ts"

/** A command by the name in its entry: its key or a principal of its own. `isReused` if the key belongs to another command. */
export interface Asked {
  readonly tag: string
  readonly key: string | undefined
  readonly isReused: boolean
}

/** The names of all copies of one command, and of those that were refused. */
interface Attempts {
  readonly made: Set<string>
  readonly refused: Set<string>
}

export interface Promises {
  /** By index: the tag of the request behind each committed transaction. */
  readonly tags: Map<number, string>
  readonly keys: Keys.Keys
  /** By tag: the entry that did the request. */
  readonly doneAt: Map<string, number>
  /** By record: its last version. */
  readonly versions: Map<string, number>
  /** By command: its copies, and those that were answered as certainly not done. */
  readonly attempts: Map<string, Attempts>
  acknowledgedCount: number
  refusedCount: number
}

export const make = (): Promises => ({
  tags: new Map(),
  keys: Keys.make(),
  doneAt: new Map(),
  versions: new Map(),
  attempts: new Map(),
  acknowledgedCount: 0,
  refusedCount: 0
})

/** Checks the next committed entry: nobody refused it before, no entry did it before, and its key is not closed. */
export const committed = (promises: Promises, entry: LogEntry): void => {
  const decoded = entry.type === "transaction" ? decode(entry.payload) : undefined
  if (decoded?._tag === "Failure") fail(`entry ${entry.index} is no transaction: ${decoded.failure}`)
  const transaction = decoded?._tag === "Success" ? decoded.success : undefined
  const { doneAt, keys } = promises
  const tag = Keys.committed(keys, entry.index, transaction)
  for (const event of transaction?.events ?? []) grows(promises, entry.index, event)
  for (const [closed, index] of keys.closedAt) {
    if (index === entry.index && doneAt.has(closed)) fail(`entry ${index} closes the key of ${closed}, which is done`)
  }
  if (tag === undefined) return
  if (doneAt.has(tag)) fail(`entry ${entry.index} does ${tag} a second time`)
  if (keys.closedAt.has(tag)) fail(`entry ${entry.index} does ${tag}, whose key was closed`)
  doneAt.set(tag, entry.index)
  promises.tags.set(entry.index, tag)
  refusedIsNotDone(promises, tag)
}

/** No version of a record names two states, even after its tombstone is forgotten. */
const grows = ({ versions }: Promises, index: number, { id, model, version }: Event): void => {
  const name = `${model} ${id}`
  const last = versions.get(name) ?? 0
  if (version <= last) fail(`entry ${index} gives ${name} version ${version} after ${last}`)
  versions.set(name, version)
}

/** Notes one more copy of a command, under a name of its own. */
export const sent = ({ attempts }: Promises, { isReused, tag }: Asked, name: string): void => {
  if (isReused) return
  const known = attempts.get(tag) ?? { made: new Set(), refused: new Set() }
  known.made.add(name)
  attempts.set(tag, known)
}

/** Notes an answer that a copy is certainly not done. */
export const refused = (promises: Promises, { isReused, tag }: Asked, name: string): void => {
  promises.refusedCount++
  if (isReused) return
  promises.attempts.get(tag)?.refused.add(name)
  refusedIsNotDone(promises, tag)
}

/** If all copies were refused, none is done. If one was not, that one may be done. */
const refusedIsNotDone = ({ attempts, doneAt }: Promises, tag: string): void => {
  const known = attempts.get(tag)
  const isRefused = known !== undefined && known.made.size === known.refused.size
  if (isRefused && doneAt.has(tag)) fail(`${tag} was refused as certainly not done, and is committed`)
}

/** Checks the outcome that a client was told: the entry behind it is committed. */
export const answered = (promises: Promises, asked: Asked, { index, result }: Answered<CommandResult>): void => {
  promises.acknowledgedCount++
  if (index > promises.keys.counts.length) fail(`${asked.tag} was answered at entry ${index}, which is not committed`)
  // Without a key a rejection leaves nothing.
  if (asked.isReused || (result._tag === "Rejected" && asked.key === undefined)) return
  const at = result.replayedIndex ?? index
  const tag = promises.tags.get(at)
  if (tag !== asked.tag) fail(`${asked.tag} was answered by entry ${at}, which is ${tag}`)
}

/** Checks an answer that the key is closed: the request is not done, now or later. */
export const closed = (promises: Promises, { tag }: Asked, index: number): void => {
  const at = promises.keys.closedAt.get(tag)
  if (at === undefined || at > index) fail(`${tag} is said to be closed at entry ${index}, and is not`)
}

/** Checks an answer about the status of a key at an entry. */
export const told = (promises: Promises, asked: Asked, status: KeyStatus["_tag"], index: number): void => {
  const doneAt = promises.doneAt.get(asked.tag) ?? promises.keys.closedAt.get(asked.tag)
  const forgottenAt = promises.keys.forgottenAt.get(asked.tag) ?? Number.POSITIVE_INFINITY
  const isKnown = doneAt !== undefined && doneAt <= index && index < forgottenAt
  if (status === "Absent" && isKnown) fail(`${asked.tag} is said to be absent at entry ${index}, and is ${doneAt}`)
  if (status === "Known" && !isKnown) fail(`${asked.tag} is said to be known at entry ${index}, and is not`)
  if (status === "Closed") closed(promises, asked, index)
}
