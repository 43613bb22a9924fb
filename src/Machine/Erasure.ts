/**
 * Records whose data is erased for good. Pure. An erasure is an entry that names records: it deletes them, and from then
 * on every reader of an older entry sees that entry without their data ({@link blanked}), whether or not a node has
 * rewritten its files already (Cluster/Erasing.ts). Ids, versions and positions stay. docs/decisions/0023.
 */
import type { Schema } from "effect"
import type { OperationAnswer } from "./Answer.ts"
import type { Event, Lifted } from "./Event.ts"
import { isRecord } from "./Json.ts"
import type { LocalPartSet } from "./LocalPart.ts"
import type { KeptOutcome } from "./Session.ts"
import type { Tables } from "./Tables.ts"
import type { Outcome, Transaction } from "./Transaction.ts"

/** A record by its name. */
export interface Named {
  readonly model: string
  readonly id: string
}

/** The erasures that a state knows. */
export interface Erasures {
  /** The index of the entry that erased the record last; 0 if none did. What is older than that is erased. */
  readonly erasedAt: (model: string, id: string) => number
  /** The erased records of a model, with the index of each erasure. */
  readonly erasedOf: (model: string) => Iterable<readonly [id: string, index: number]>
  /** Whether a record of this id, of whatever model, was erased after `index`. */
  readonly isErasedId: (id: string, index: number) => boolean
  /** The index of the last erasure; 0 if there was none. Nothing after it is erased. */
  readonly lastIndex: number
}

/** The erasures of a state at this moment. */
export const erasuresOf = ({ byModel }: Pick<Tables, "byModel">): Erasures => {
  const tables = [...byModel.values()].filter(({ erasedIndex }) => erasedIndex > 0)
  return {
    erasedAt: (model, id) => byModel.get(model)?.erasures.get(id) ?? 0,
    erasedOf: (model) => byModel.get(model)?.erasures.entries() ?? [],
    isErasedId: (id, index) => tables.some(({ erasures }) => (erasures.get(id) ?? 0) > index),
    lastIndex: lastErasure({ byModel })
  }
}

/** The index of the last erasure in a state; 0 if there was none. */
export const lastErasure = ({ byModel }: Pick<Tables, "byModel">): number => {
  let lastIndex = 0
  for (const { erasedIndex } of byModel.values()) lastIndex = Math.max(lastIndex, erasedIndex)
  return lastIndex
}

/** The data of an erased record. */
export const nothing = {} as const

/**
 * The transaction of the entry at `index` without the data of records that were erased after it. It returns the same
 * object if it holds none of them. A declared command's success, or declared error, goes as a whole if the entry changed
 * such a record or if the answer names one.
 */
export const blanked = (transaction: Transaction, index: number, erasures: Erasures): Transaction => {
  if (index >= erasures.lastIndex) return transaction
  const isErased = ({ id, model }: Named): boolean => erasures.erasedAt(model, id) > index
  const { events, lifted, outcome } = transaction
  const touches = events.some(isErased)
  const holds = (each: Named & { readonly erased?: true }): boolean => each.erased !== true && isErased(each)
  const changes = {
    ...(events.some(holds) ? { events: events.map((event) => (isErased(event) ? blankEvent(event) : event)) } : {}),
    ...(lifted?.some(holds) ? { lifted: lifted.map((each) => (isErased(each) ? blankLifted(each) : each)) } : {})
  }
  const outcomeAfter = blankOutcome(outcome, isErased, touches, (id) => erasures.isErasedId(id, index))
  if (Object.keys(changes).length === 0 && outcomeAfter === outcome) return transaction
  return { ...transaction, ...changes, outcome: outcomeAfter, blanked: true }
}

/** The transaction of a node's own log without parts of erased records. It returns the same object if it holds none. */
export const blankedParts = (transaction: Transaction, erasures: Erasures): Transaction => {
  const { localParts } = transaction
  if (localParts?.some((part) => isErasedPart(part, erasures)) !== true) return transaction
  const left = localParts.map((part) => (isErasedPart(part, erasures) ? blankPart(part) : part))
  return { ...transaction, localParts: left, blanked: true }
}

const blankEvent = (event: Event): Event => (event.erased === true ? event : { ...event, data: nothing, erased: true })

const blankLifted = (lifted: Lifted): Lifted =>
  lifted.erased === true ? lifted : { ...lifted, data: nothing, erased: true }

/** A part belongs to the record that was created at `createdIndex` of the replicated log, whatever log holds the part. */
const isErasedPart = ({ createdIndex, erased, id, model }: LocalPartSet, { erasedAt }: Erasures): boolean =>
  erased !== true && erasedAt(model, id) > createdIndex

const blankPart = (part: LocalPartSet): LocalPartSet => ({ ...part, data: nothing, erased: true })

const blankAnswer = (answer: OperationAnswer): OperationAnswer =>
  answer.erased === true ? answer : { ...answer, record: nothing, erased: true }

const blankOutcome = (
  outcome: Outcome,
  isErased: (named: Named) => boolean,
  touches: boolean,
  isErasedId: (id: string) => boolean
): Outcome => {
  if (outcome._tag === "Rejected") {
    const { rejection } = outcome
    const isBlank = rejection._tag === "Declared" && (touches || names(rejection.error, isErasedId))
    return isBlank ? { _tag: "Rejected", rejection: { _tag: "OutcomeErased" } } : outcome
  }
  if (outcome.value !== undefined) {
    return touches || names(outcome.value, isErasedId) ? { _tag: "Accepted", erased: true } : outcome
  }
  if (!outcome.unchanged?.some(({ answer }) => answer.erased !== true && isErased(answer))) return outcome
  const unchanged = outcome.unchanged.map(({ answer, position }) => ({
    position,
    answer: isErased(answer) ? blankAnswer(answer) : answer
  }))
  return { ...outcome, unchanged }
}

/** Whether one of the texts within a value is such an id. */
const names = (value: Schema.Json, isErasedId: (id: string) => boolean): boolean => {
  if (typeof value === "string") return isErasedId(value)
  if (Array.isArray(value)) return value.some((each: Schema.Json) => names(each, isErasedId))
  return isRecord(value) && Object.values(value).some((each) => names(each as Schema.Json, isErasedId))
}

/** Whether a remembered outcome holds data of one of these records. */
const holdsDataOf = (
  outcome: KeptOutcome,
  isErased: (named: Named) => boolean,
  isErasedId: (id: string) => boolean
): boolean => {
  if (outcome._tag === "Rejected") {
    return outcome.rejection._tag === "Declared" && names(outcome.rejection.error, isErasedId)
  }
  const { operations, value } = outcome.answer
  return operations.some(isErased) || (value !== undefined && names(value, isErasedId))
}

/** The indexes of the entries whose remembered outcomes hold data of these records, ascending. */
export const outcomesOf = (
  { sessions }: Pick<Tables, "sessions">,
  records: ReadonlyArray<Named>
): ReadonlyArray<number> => {
  const erased = new Set(records.map(({ id, model }) => JSON.stringify([model, id])))
  const ids = new Set(records.map(({ id }) => id))
  const isErased = ({ id, model }: Named): boolean => ids.has(id) && erased.has(JSON.stringify([model, id]))
  const found: Array<number> = []
  /** Outcomes are held as text: one that has none of the ids in it is not read. */
  const texts = Array.from(ids, (id) => JSON.stringify(id))
  for (const { index, outcome } of sessions.values()) {
    if (outcome === undefined || !texts.some((text) => outcome.includes(text))) continue
    if (holdsDataOf(JSON.parse(outcome), isErased, (id) => ids.has(id))) found.push(index)
  }
  return found.sort((one, other) => one - other)
}

/** Whether data of a transaction was erased after it was decided. */
export const isBlanked = ({ blanked, events }: Transaction): boolean =>
  blanked === true || events.some(({ erased }) => erased === true)

/**
 * A record that the entry at `index` says is erased, and no erasure of the state names; undefined if there is none. No
 * node writes such an entry: somebody has changed it.
 */
export const unnamedIn = (
  transaction: Transaction,
  index: number,
  { erasedAt, lastIndex }: Erasures
): string | undefined => {
  const isNamed = ({ erased, id, model }: Named & { readonly erased?: true }): boolean =>
    // The entry that erases a record deletes it without its data.
    erased !== true || erasedAt(model, id) >= index
  const { events, lifted = [], outcome } = transaction
  const unchanged = outcome._tag === "Accepted" ? (outcome.unchanged ?? []).map(({ answer }) => answer) : []
  const unnamed = [...events, ...lifted, ...unchanged].find((each) => !isNamed(each))
  if (unnamed !== undefined) return `the data of ${unnamed.model} ${unnamed.id} is missing, and no erasure names it`
  return transaction.blanked === true && index >= lastIndex
    ? "its data is missing, and no erasure came after it"
    : undefined
}
