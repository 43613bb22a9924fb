/**
 * What the clients of a simulated cluster were told of their writes, held against what is committed: an acknowledged
 * write is, a refused one never is, and a key is used once. Not what they read (the history is judged at the end).
 * docs/guarantees.md; C17, C18.
 */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { CommandResult } from "../../Machine/CommandResult.ts"
import type { Event } from "../../Machine/Event.ts"
import type { KeyStatus } from "../../Machine/KeyStatus.ts"
import { decode } from "../../Machine/Transaction.ts"
import type { Answered } from "../../Raft/node/CommandQueue.ts"
import { fail } from "./Failure.ts"

import * as Keys from "./Keys.ts"

/** A command as its entry names it: by its key, or by a principal of its own; `isReused` where the key is another's. */
export interface Asked {
  readonly tag: string
  readonly key: string | undefined
  readonly isReused: boolean
}

/** The copies of one command that were sent, and those of them that were refused, by name. */
interface Attempts {
  readonly made: Set<string>
  readonly refused: Set<string>
}

export interface Promises {
  /** What each committed transaction came from, by index; and where. */
  readonly tags: Map<number, string>
  readonly keys: Keys.Keys
  /** By request: the entry that did it. */
  readonly doneAt: Map<string, number>
  /** By record of those that come and go: the version that it had last. */
  readonly versions: Map<string, number>
  /** Of each command: the copies that were sent, and those of which it was said that they are certainly not done. */
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

/** The next entry is committed: it was not refused before, nor done, nor was its key closed. */
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

/** No version of a record names two states, whatever is forgotten of those that were deleted. */
const grows = ({ versions }: Promises, index: number, { id, model, version }: Event): void => {
  const name = `${model} ${id}`
  const last = versions.get(name) ?? 0
  if (version <= last) fail(`entry ${index} gives ${name} version ${version} after ${last}`)
  versions.set(name, version)
}

/** One more copy of a command is sent, under a name of its own. */
export const sent = ({ attempts }: Promises, { isReused, tag }: Asked, name: string): void => {
  if (isReused) return
  const known = attempts.get(tag) ?? { made: new Set(), refused: new Set() }
  known.made.add(name)
  attempts.set(tag, known)
}

/** It was said that a copy is certainly not done. */
export const refused = (promises: Promises, { isReused, tag }: Asked, name: string): void => {
  promises.refusedCount++
  if (isReused) return
  promises.attempts.get(tag)?.refused.add(name)
  refusedIsNotDone(promises, tag)
}

/** Where all copies were refused, none is done; where one was not, that may be the one. */
const refusedIsNotDone = ({ attempts, doneAt }: Promises, tag: string): void => {
  const known = attempts.get(tag)
  const isRefused = known !== undefined && known.made.size === known.refused.size
  if (isRefused && doneAt.has(tag)) fail(`${tag} was refused as certainly not done, and is committed`)
}

/** It was said what became of it: what that rests on is committed. */
export const answered = (promises: Promises, asked: Asked, { answer, index }: Answered<CommandResult>): void => {
  promises.acknowledgedCount++
  if (index > promises.keys.counts.length) fail(`${asked.tag} was answered at entry ${index}, which is not committed`)
  // Without a key a rejection leaves nothing.
  if (asked.isReused || (answer._tag === "Rejected" && asked.key === undefined)) return
  const at = answer.replayedIndex ?? index
  const tag = promises.tags.get(at)
  if (tag !== asked.tag) fail(`${asked.tag} was answered by entry ${at}, which is ${tag}`)
}

/** It was said that nothing became of it, and that nothing will. */
export const closed = (promises: Promises, { tag }: Asked, index: number): void => {
  const at = promises.keys.closedAt.get(tag)
  if (at === undefined || at > index) fail(`${tag} is said to be closed at entry ${index}, and is not`)
}

/** It was said at an entry what is known of its key. */
export const told = (promises: Promises, asked: Asked, status: KeyStatus["_tag"], index: number): void => {
  const doneAt = promises.doneAt.get(asked.tag) ?? promises.keys.closedAt.get(asked.tag)
  const forgottenAt = promises.keys.forgottenAt.get(asked.tag) ?? Number.POSITIVE_INFINITY
  const isKnown = doneAt !== undefined && doneAt <= index && index < forgottenAt
  if (status === "Absent" && isKnown) fail(`${asked.tag} is said to be absent at entry ${index}, and is ${doneAt}`)
  if (status === "Known" && !isKnown) fail(`${asked.tag} is said to be known at entry ${index}, and is not`)
  if (status === "Closed") closed(promises, asked, index)
}
