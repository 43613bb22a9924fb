/**
 * The outcomes of requests with an idempotency key, so that a copy is answered and not done again. Pure. They are part
 * of the tables: they survive leaders, restarts and snapshots. Raft diss. 6.3; C17.
 *
 * A client's key is held until it expires. For a key that a node assigned, only the index of its entry is kept
 * (AssignedKeys.ts). An outcome that is not kept is read from the log.
 */
import type { Answer } from "./Answer.ts"
import * as AssignedKey from "./AssignedKey.ts"
import * as AssignedKeys from "./AssignedKeys.ts"
import { type Keyed, keyedOf } from "./Command.ts"
import type { KeptOutcome, Session } from "./Session.ts"
import * as StateElements from "./StateElements.ts"
import { count, discount, hashOf, type Tables } from "./Tables.ts"
import type { Transaction } from "./Transaction.ts"

export const nameOf = ({ key, principal }: Keyed): string =>
  // JSON marks where the principal ends, so that no principal's key can look like another's.
  `${principal === undefined ? "" : JSON.stringify(principal)} ${key}`

/**
 * The knowledge of a key. `Logged`: the entry at `index` has the outcome. `Expired`: it may have been done, and is
 * forgotten.
 */
export type Known =
  | ({ readonly _tag: "Kept" } & Session & { readonly outcome: KeptOutcome })
  | { readonly _tag: "Logged"; readonly index: number; readonly fingerprint: string | undefined }
  | { readonly _tag: "Expired" }

/** The outcome under a key, at that age of the log; undefined if there is none, or a client's key has expired. */
export const find = (tables: Tables, keyed: Keyed, logAgeMs: number): Known | undefined => {
  const assigned = AssignedKey.parse(keyed.key)
  const name = nameOf(keyed)
  if (assigned !== undefined) {
    const index = AssignedKeys.find(tables.assignedKeys, name, assigned.afterIndex)
    if (index !== undefined) return { _tag: "Logged", index, fingerprint: undefined }
    return assigned.afterIndex < tables.assignedKeys.horizonIndex ? { _tag: "Expired" } : undefined
  }
  const session = tables.sessions.get(name)
  if (session === undefined || isExpired(tables, session, logAgeMs)) return undefined
  const { fingerprint, index, outcome } = session
  return outcome === undefined ? { _tag: "Logged", index, fingerprint } : { ...session, _tag: "Kept", outcome }
}

/** Whether a request is the one that first came with this key. An assigned key names its request itself. */
export const isCopy = (
  known: { readonly fingerprint: string | undefined },
  { fingerprint, key }: { readonly key: string; readonly fingerprint?: string }
): boolean => {
  const assigned = AssignedKey.parse(key)
  return assigned === undefined
    ? known.fingerprint === fingerprint
    : fingerprint === undefined || AssignedKey.isOf(assigned, fingerprint)
}

/** Whether a client's new key has no room at that age of the log. */
export const isFull = (tables: Tables, logAgeMs: number): boolean => {
  if (tables.sessions.size < tables.limits.keysMax) return false
  const oldest = oldestOf(tables)
  return oldest === undefined || !isExpired(tables, oldest.session, logAgeMs)
}

/** For `evolve`: drops expired keys, then notes the outcome of a transaction with a key. */
export const note = (tables: Tables, index: number, transaction: Transaction, answer: () => Answer): void => {
  dropExpired(tables, transaction.logAgeMs)
  const keyed = keyedOf(transaction)
  if (keyed === undefined) return
  const isAssigned = transaction.assignedKey !== undefined || AssignedKey.parse(keyed.key) !== undefined
  const name = nameOf(keyed)
  if (isAssigned) AssignedKeys.note(tables.assignedKeys, { name, index }, tables.limits, hashOf(tables))
  else noteSession(tables, name, index, transaction, answer)
}

const noteSession = (
  tables: Tables,
  name: string,
  index: number,
  { command, fingerprint, logAgeMs, outcome }: Transaction,
  answer: () => Answer
): void => {
  const held = tables.sessions.get(name)
  if (held !== undefined) drop(tables, name, held)
  const whole = outcome._tag === "Accepted" ? ({ _tag: "Accepted", answer: answer() } as const) : outcome
  // A closed key is kept whatever the limit: otherwise a copy would be compared with a request that never was.
  const isClosed = whole._tag === "Rejected" && whole.rejection._tag === "KeyClosed"
  const isKept = isClosed || Buffer.byteLength(JSON.stringify(whole)) <= tables.limits.outcomeMaxBytes
  const session: Session = { fingerprint, index, logAgeMs, command, outcome: isKept ? whole : undefined }
  put(tables, name, session)
  count(tables, () => StateElements.session(name, session))
}

/** Forgets the outcome that the entry at `index` left. A copy is answered from that entry then. */
export const forgetOutcome = (tables: Tables, index: number): void => {
  const name = tables.sessionOrder.get(index)
  const held = name === undefined ? undefined : tables.sessions.get(name)
  if (name === undefined || held?.outcome === undefined) return
  drop(tables, name, held)
  const session: Session = { ...held, outcome: undefined }
  put(tables, name, session)
  count(tables, () => StateElements.session(name, session))
}

const dropExpired = (tables: Tables, logAgeMs: number): void => {
  for (let oldest = oldestOf(tables); oldest !== undefined; oldest = oldestOf(tables)) {
    if (!isExpired(tables, oldest.session, logAgeMs)) return
    drop(tables, oldest.name, oldest.session)
  }
}

/** Adds a session without its element of the state hash. */
export const put = (tables: Tables, name: string, session: Session): void => {
  tables.sessions.set(name, session)
  tables.sessionOrder.set(session.index, name)
}

const drop = (tables: Tables, name: string, session: Session): void => {
  tables.sessions.delete(name)
  tables.sessionOrder.delete(session.index)
  discount(tables, () => StateElements.session(name, session))
}

const oldestOf = (tables: Tables): { readonly name: string; readonly session: Session } | undefined => {
  const index = tables.sessionOrder.minKey()
  const name = index === undefined ? undefined : tables.sessionOrder.get(index)
  const session = name === undefined ? undefined : tables.sessions.get(name)
  return name === undefined || session === undefined ? undefined : { name, session }
}

const isExpired = ({ limits }: Tables, session: Session, logAgeMs: number): boolean =>
  logAgeMs - session.logAgeMs > limits.keyLifetimeMs
