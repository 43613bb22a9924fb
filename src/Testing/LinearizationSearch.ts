/**
 * The search for an order of effects, of one object: depth first, on lists instead of the stack, with a cache of what it
 * has tried. Wing & Gong 1993; Lowe 2017 for the cache, whose entries are the operations that have a place, and the state.
 */
import { invariant } from "../Invariant.ts"
import { canonical } from "../Machine/Json.ts"
import type { Operation } from "./History.ts"
import type { Problem } from "./LinearizationProblem.ts"
import type { Model, Told } from "./SequentialModel.ts"

export type Found = { readonly stepsCount: number } & (
  | { readonly _tag: "Found"; readonly order: ReadonlyArray<Operation> }
  | { readonly _tag: "NotFound"; readonly reason: string }
  | { readonly _tag: "GaveUp" }
)

/**
 * Calls and returns of the operations that ended, in the order of the history, as a doubly linked list: an operation
 * that was given its place is lifted out of it, and put back when the search returns. Nodes are numbers; 0 is the head.
 */
interface Events {
  readonly next: Int32Array
  readonly previous: Int32Array
  /** The operation of a node: its own number for a call, its complement for a return. */
  readonly operationAt: Int32Array
  readonly callOf: Int32Array
  readonly returnOf: Int32Array
  /** For a return: how many calls come before it, of those that ended and of those that did not. */
  readonly endedBefore: Int32Array
  readonly unknownBefore: Int32Array
}

export const search = <State>(model: Model<State>, problem: Problem, stepsMax: number): Found => {
  const { ended, equalBefore, unknown } = problem
  const told = ended.map(({ operation, returned }): Told => ({ op: operation.op, answer: returned.answer }))
  const expected = told.map(({ answer }) => (answer.result === undefined ? undefined : canonical(answer.result)))
  const events = link(problem)
  // The least of the greatest ranks from each operation on: `rankMax[n]` bounds all that may be placed before n.
  const rankMax = new Float64Array(ended.length + 1).fill(Number.POSITIVE_INFINITY)
  const rankOf = (number: number): number => model.rank?.max(told[number]!) ?? Number.POSITIVE_INFINITY
  for (let number = ended.length - 1; number >= 0; number--) {
    rankMax[number] = Math.min(rankOf(number), rankMax[number + 1]!)
  }
  const { callOf, endedBefore, next, operationAt, unknownBefore } = events
  const placed = { ended: bits(ended.length), unknown: bits(unknown.length) }
  const seen = new Set<string>()
  // What was chosen, in order: an ended operation by its number, an unknown one by its complement; and the state before.
  const chosen: Array<number> = []
  const before: Array<State> = []
  let state = model.initial
  let leftCount = ended.length
  let stepsCount = 0
  let furthest = { leftCount: ended.length + 1, reason: "" }

  const apply = ({ op, value }: Operation) => {
    stepsCount++
    const applied = model.apply(state, { op, value })
    invariant(applied !== undefined, `the model knows no ${op} of ${canonical(value)}`)
    return applied
  }
  /** The state after an operation, if its client got this answer. */
  const afterEnded = (number: number): State | undefined => {
    const applied = apply(ended[number]!.operation)
    if (applied.answer.type !== told[number]!.answer.type) return undefined
    const result = expected[number]
    return result === undefined || canonical(applied.answer.result ?? null) === result ? applied.state : undefined
  }
  /** An operation that changes nothing visible needs no place. */
  const afterUnknown = (number: number): State | undefined => {
    const applied = apply(unknown[number]!)
    return model.fingerprint(applied.state) === model.fingerprint(state) ? undefined : applied.state
  }
  /** The first return: operations that were called before it may be next, and its own must come before it. */
  const firstReturn = (): number => {
    let node = next[0]!
    while (operationAt[node]! >= 0) node = next[node]!
    return node
  }
  /** Goes on from here, unless the search was here before or cannot succeed from here. */
  const enter = (choice: number, after: State): boolean => {
    if (choice >= 0) lift(events, choice)
    flip(placed, choice)
    if (isNew(after)) {
      chosen.push(choice)
      before.push(state)
      state = after
      if (choice >= 0) leftCount--
      return true
    }
    flip(placed, choice)
    if (choice >= 0) putBack(events, choice)
    return false
  }
  const isNew = (after: State): boolean => {
    if (next[0] === 0) return true
    // All before the first call that is left are placed, none from the first return on: what is between tells it all.
    const low = operationAt[next[0]!]! >> 5
    const end = endedBefore[firstReturn()]!
    if (model.rank !== undefined) {
      const rank = model.rank.of(after)
      if (rank > rankMax[end]!) return false
      for (let node = next[0]!; operationAt[node]! >= 0; node = next[node]!) {
        if (rank > rankOf(operationAt[node]!)) return false
      }
    }
    const window = placed.ended.subarray(low, (end + 31) >> 5).join()
    const entry = `${low} ${window} ${placed.unknown.join()} ${model.fingerprint(after)}`
    if (seen.has(entry)) return false
    seen.add(entry)
    return true
  }
  const describe = (number: number): string => {
    const { operation, returned } = ended[number]!
    const { op, process, value } = operation
    const { answer } = returned
    const said = `${answer.type} ${canonical(answer.result ?? null)}`
    const placedText = `${ended.length - leftCount} of ${ended.length} operations have a place`
    return `${placedText}; from ${model.fingerprint(state)} no order leads to "${op} ${canonical(value)}" of process ${process} (line ${returned.at + 1}), which ended as "${said}"`
  }

  // An ended operation is tried before an unknown one, and of those the latest first: mostly that is right.
  let node = next[0]!
  let unknownLeft = -1
  while (leftCount > 0) {
    if (stepsCount >= stepsMax) return { _tag: "GaveUp", stepsCount }
    const number = operationAt[node]!
    if (unknownLeft < 0 && number >= 0) {
      const after = afterEnded(number)
      if (after !== undefined && enter(number, after)) node = next[0]!
      else node = next[node]!
      continue
    }
    if (unknownLeft < 0) unknownLeft = unknownBefore[node]!
    let entered = false
    while (!entered && unknownLeft > 0) {
      unknownLeft--
      const equal = equalBefore[unknownLeft]!
      if (isSet(placed.unknown, unknownLeft) || (equal >= 0 && !isSet(placed.unknown, equal))) continue
      const after = afterUnknown(unknownLeft)
      entered = after !== undefined && enter(~unknownLeft, after)
    }
    if (entered) {
      node = next[0]!
      unknownLeft = -1
      continue
    }
    if (leftCount < furthest.leftCount) furthest = { leftCount, reason: describe(~operationAt[node]!) }
    const choice = chosen.pop()
    if (choice === undefined) return { _tag: "NotFound", stepsCount, reason: furthest.reason }
    state = before.pop()!
    flip(placed, choice)
    if (choice >= 0) {
      putBack(events, choice)
      leftCount++
      node = next[callOf[choice]!]!
      unknownLeft = -1
    } else {
      node = firstReturn()
      unknownLeft = ~choice
    }
  }
  const order = chosen.map((choice) => (choice >= 0 ? ended[choice]!.operation : unknown[~choice]!))
  return { _tag: "Found", stepsCount, order }
}

const link = ({ ended, unknown }: Problem): Events => {
  const marks = ended
    .flatMap(({ operation, returned }, number) => [
      { at: operation.invokedAt, operation: number },
      { at: returned.at, operation: ~number }
    ])
    .sort((a, b) => a.at - b.at)
  const size = marks.length + 1
  const events: Events = {
    next: Int32Array.from({ length: size }, (_, node) => (node + 1) % size),
    previous: Int32Array.from({ length: size }, (_, node) => (node + size - 1) % size),
    operationAt: new Int32Array(size),
    callOf: new Int32Array(ended.length),
    returnOf: new Int32Array(ended.length),
    endedBefore: new Int32Array(size),
    unknownBefore: new Int32Array(size)
  }
  let endedCount = 0
  let unknownCount = 0
  for (const [position, { at, operation }] of marks.entries()) {
    const node = position + 1
    while (unknownCount < unknown.length && unknown[unknownCount]!.invokedAt < at) unknownCount++
    events.operationAt[node] = operation
    if (operation >= 0) {
      events.callOf[operation] = node
      endedCount++
    } else events.returnOf[~operation] = node
    events.endedBefore[node] = endedCount
    events.unknownBefore[node] = unknownCount
  }
  return events
}

const lift = ({ callOf, next, previous, returnOf }: Events, operation: number): void => {
  for (const node of [callOf[operation]!, returnOf[operation]!]) {
    next[previous[node]!] = next[node]!
    previous[next[node]!] = previous[node]!
  }
}

/** Undoes the last `lift`: the nodes still know where they were. */
const putBack = ({ callOf, next, previous, returnOf }: Events, operation: number): void => {
  for (const node of [returnOf[operation]!, callOf[operation]!]) {
    next[previous[node]!] = node
    previous[next[node]!] = node
  }
}

interface Placed {
  readonly ended: Uint32Array
  readonly unknown: Uint32Array
}

const bits = (count: number): Uint32Array => new Uint32Array((count + 31) >> 5)

const isSet = (words: Uint32Array, bit: number): boolean => (words[bit >> 5]! & (1 << (bit & 31))) !== 0

const flip = (placed: Placed, choice: number): void => {
  const words = choice >= 0 ? placed.ended : placed.unknown
  const bit = choice >= 0 ? choice : ~choice
  words[bit >> 5] = words[bit >> 5]! ^ (1 << (bit & 31))
}
