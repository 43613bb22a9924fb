/**
 * The client keys that a simulated cluster must remember after each entry. They follow from the committed log alone, so
 * the checks can compare the tables of every node with them. Pure but for its notes.
 */
import * as DatedKey from "../../Machine/DatedKey.ts"
import * as Limits from "../../Machine/Limits.ts"
import type { Transaction } from "../../Machine/Transaction.ts"
import { fail } from "./Failure.ts"
import { isOfPapers } from "./Papers.ts"

interface Held {
  readonly tag: string
  readonly logAgeMs: number
}

export interface Keys {
  /** The limits that the log has stated so far. */
  limits: Limits.Limits
  /** Clients' keys, oldest first. */
  held: ReadonlyArray<Held>
  /** How many keys are held after each entry; the first entry is at position 0. */
  readonly counts: Array<number>
  /** The entry at which each was forgotten. */
  readonly forgottenAt: Map<string, number>
  /** By the tag of the request: the entry that closed its key. */
  readonly closedAt: Map<string, number>
}

export const make = (): Keys => ({
  limits: Limits.initial,
  held: [],
  counts: [],
  forgottenAt: new Map(),
  closedAt: new Map()
})

/** The principals of clients that make keys. */
const holderPrefix = "client"

/** The holder of a client's key: some holders, so that several have keys in the memory at once. */
export const holderOf = (number: number): string => `${holderPrefix}${number % 5}`

/** The name of a request in its entry: the key if the client made one, else a principal of its own. */
export const tagOf = ({ key, principal }: Pick<Transaction, "key" | "principal">): string =>
  (principal === undefined || principal.startsWith(holderPrefix) ? key : principal) ?? ""

/** An entry drops no more expired keys than this. */
const droppedMaxCount = 16

/** Notes the next committed entry. Gives the tag if the entry is a client's request. */
export const committed = (keys: Keys, index: number, transaction: Transaction | undefined): string | undefined => {
  const tag = transaction === undefined ? undefined : note(keys, index, transaction)
  keys.counts.push(keys.held.length)
  return tag
}

const note = (keys: Keys, index: number, transaction: Transaction): string | undefined => {
  const { key, limits, logAgeMs } = transaction
  if (limits !== undefined) {
    if (limits.revision <= keys.limits.revision) fail(`entry ${index} states limits that are no newer`)
    keys.limits = limits
  }
  const isExpired = (each: Held) => logAgeMs - each.logAgeMs > keys.limits.keyLifetimeMs
  const expired = keys.held.filter(isExpired)
  for (const { tag } of expired) if (!keys.forgottenAt.has(tag)) keys.forgottenAt.set(tag, index)
  keys.held = keys.held.slice(Math.min(expired.length, droppedMaxCount))
  // Readers of a run with rules send no keys.
  if (limits !== undefined || transaction.events.some(isOfPapers)) return undefined
  const tag = tagOf(transaction)
  if (key !== undefined && DatedKey.parse(key) === undefined) keys.held = [...keys.held, { tag, logAgeMs }]
  if (transaction.command !== "Close") return tag
  keys.closedAt.set(tag, index)
  return undefined
}
