/**
 * What the clients of a simulated cluster were told of their writes, held against what is committed: an acknowledged
 * write is, a refused one never is, and a key is used once. Not what they read (the history is judged at the end).
 * DESIGN "What it promises" 3, 6; RAFT C17, C18.
 */
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import { decode } from "../Machine/Transaction.ts"
import type { Answered } from "../Raft/Deciding.ts"
import { fail } from "./SimulatorFailure.ts"

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
  readonly committed: Set<string>
  /** How many keys are used up by all entries through index + 1. */
  readonly keyCounts: Array<number>
  /** Of each command: the copies that were sent, and those of which it was said that they are certainly not done. */
  readonly attempts: Map<string, Attempts>
  acknowledgedCount: number
  refusedCount: number
}

export const make = (): Promises => ({
  tags: new Map(),
  committed: new Set(),
  keyCounts: [],
  attempts: new Map(),
  acknowledgedCount: 0,
  refusedCount: 0
})

/** The next entry is committed: it was not refused before, nor done. */
export const committed = (promises: Promises, entry: LogEntry): void => {
  const transaction = entry.type === "transaction" ? decode(entry.payload) : undefined
  if (transaction?._tag === "Failure") fail(`entry ${entry.index} is no transaction: ${transaction.failure}`)
  const keyCount = promises.keyCounts.at(-1) ?? 0
  if (transaction?._tag !== "Success") {
    promises.keyCounts.push(keyCount)
    return
  }
  const { key, principal } = transaction.success
  const tag = key ?? principal ?? ""
  if (promises.committed.has(tag)) fail(`entry ${entry.index} does ${tag} a second time`)
  promises.committed.add(tag)
  promises.tags.set(entry.index, tag)
  promises.keyCounts.push(keyCount + (key === undefined ? 0 : 1))
  refusedIsNotDone(promises, tag)
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
const refusedIsNotDone = ({ attempts, committed }: Promises, tag: string): void => {
  const known = attempts.get(tag)
  const isRefused = known !== undefined && known.made.size === known.refused.size
  if (isRefused && committed.has(tag)) fail(`${tag} was refused as certainly not done, and is committed`)
}

/** It was said what became of it: what that rests on is committed. */
export const answered = (promises: Promises, asked: Asked, { answer, index }: Answered<CommandResult>): void => {
  promises.acknowledgedCount++
  if (index > promises.keyCounts.length) fail(`${asked.tag} was answered at entry ${index}, which is not committed`)
  // Without a key a rejection leaves nothing.
  if (asked.isReused || (answer._tag === "Rejected" && asked.key === undefined)) return
  const at = answer.replayedIndex ?? index
  const tag = promises.tags.get(at)
  if (tag !== asked.tag) fail(`${asked.tag} was answered by entry ${at}, which is ${tag}`)
}
