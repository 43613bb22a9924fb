/** Prepares the operations of one object for the search, and settles unknown outcomes where it can. Pure. */
import { canonical } from "../Machine/Json.ts"
import type { Operation } from "./History.ts"
import type { Model } from "./SequentialModel.ts"

/** The operations that must get a place in the order, and those that may. */
export interface Problem {
  readonly ended: ReadonlyArray<{
    readonly operation: Operation
    readonly returned: NonNullable<Operation["returned"]>
  }>
  readonly unknown: ReadonlyArray<Operation>
  /** The number of the unknown operation before, to which this one is equal but for its beginning; −1 if there is none. */
  readonly equalBefore: ReadonlyArray<number>
}

/**
 * Leaves few outcomes unknown, since each multiplies the orders to try. An operation is done if another one saw its trace,
 * and it was done when the first of those ended. Unseen operations of one kind are equal: it is enough to try the one that
 * began first.
 */
export const prepare = <State>({ trace }: Model<State>, operations: ReadonlyArray<Operation>): Problem => {
  const leftCount = new Map<string, number>()
  const found = new Map<string, NonNullable<Operation["returned"]>>()
  for (const operation of operations) {
    const left = trace?.left(operation)
    if (left !== undefined) leftCount.set(left.trace, (leftCount.get(left.trace) ?? 0) + 1)
    if (operation.returned === undefined) continue
    const { answer, at } = operation.returned
    const seen = trace?.found({ op: operation.op, answer })
    if (seen !== undefined && at <= (found.get(seen.trace)?.at ?? at))
      found.set(seen.trace, { at, answer: seen.answer })
  }
  const ended: Array<Problem["ended"][number]> = []
  const unknown: Array<Operation> = []
  const equalBefore: Array<number> = []
  const lastOfKind = new Map<string, number>()
  for (const operation of operations) {
    const left = operation.returned === undefined ? trace?.left(operation) : undefined
    const seen = left === undefined ? undefined : found.get(left.trace)
    const isDone = seen !== undefined && seen.at > operation.invokedAt && leftCount.get(left!.trace) === 1
    const returned = isDone ? seen : operation.returned
    if (returned !== undefined) {
      ended.push({ operation, returned })
      continue
    }
    const isUnseen = left !== undefined && seen === undefined
    const kind = isUnseen ? `unseen ${left.kind}` : `${operation.op} ${canonical(operation.value)}`
    equalBefore.push(lastOfKind.get(kind) ?? -1)
    lastOfKind.set(kind, unknown.push(operation) - 1)
  }
  return { ended, unknown, equalBefore }
}
