/** Rebuilds the outcome of a keyed command from its entry in the log, if the tables keep only its index. Pure. C17. */
import type { OperationAnswer } from "./Answer.ts"
import { answerOf } from "./evolve.ts"
import type { KeptOutcome } from "./Session.ts"
import { get, type Tables } from "./Tables.ts"
import type { Transaction } from "./Transaction.ts"

/** The client's answer for the entry at `index`, as far as `tables`, which have applied it, can still tell. */
export const recall = (
  tables: Tables,
  { index, transaction }: { readonly index: number; readonly transaction: Transaction }
): KeptOutcome => {
  const { outcome } = transaction
  if (isErased(transaction)) return { _tag: "Rejected", rejection: { _tag: "OutcomeErased" } }
  return outcome._tag === "Rejected"
    ? outcome
    : { _tag: "Accepted", answer: answerOf(transaction, changedBy(tables, index, transaction)) }
}

/** Whether a part of the answer is erased. The rest of it would be no answer to the request. */
const isErased = ({ events, outcome }: Transaction): boolean =>
  events.some(({ cascaded, erased }) => erased === true && cascaded !== true) ||
  (outcome._tag === "Accepted" &&
    (outcome.erased === true || outcome.unchanged?.some(({ answer }) => answer.erased === true) === true))

/**
 * An event does not say when its record was created, so this goes from the last event back. The present record gives
 * its creation, unless it came later. Before a creation, and before a deletion, the record is another one, which is
 * gone: its answer has no index, by which no local part of it is found.
 */
const changedBy = (tables: Tables, index: number, { events }: Transaction): ReadonlyArray<OperationAnswer> => {
  const createdIndexes = new Map<string, number>()
  const answers = events.toReversed().map((event): OperationAnswer => {
    const { data: record, id, model, modelVersion, type: change, version } = event
    const name = JSON.stringify([model, id])
    const known = createdIndexes.get(name) ?? createdBy(tables, { model, id, index })
    const createdIndex = change === "created" ? index : change === "deleted" ? 0 : known
    createdIndexes.set(name, change === "updated" ? createdIndex : 0)
    return { change, model, id, version, index, createdIndex, modelVersion, record }
  })
  return answers.toReversed()
}

/** The index at which the present record was created; 0 if there is none, or if it came after the entry at `index`. */
const createdBy = (
  tables: Tables,
  { id, index, model }: { readonly model: string; readonly id: string; readonly index: number }
): number => {
  const createdIndex = get(tables, model, id)?.createdIndex ?? 0
  return createdIndex <= index ? createdIndex : 0
}
