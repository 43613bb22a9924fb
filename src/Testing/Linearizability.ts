/**
 * Whether a history could be that of one sequential object: each operation takes effect at once, at some moment between
 * its beginning and its end. The search of Wing & Gong (1993) with the cache of Lowe ("Testing for linearizability",
 * 2017), one object at a time (Herlihy & Wing 1990, §3.1: a history is linearizable if each object's is). Pure.
 *
 * It is NP-complete (Gibbons & Korach 1997), so the search is bounded, and says when it gave up.
 */
import type { Schema } from "effect"
import { invariant } from "../Invariant.ts"
import { canonical } from "../Machine/Json.ts"
import type { Answer, Operation } from "./History.ts"

/** A sequential object: what it holds, and what it answers. States are never changed in place. */
export interface Model<State> {
  readonly initial: State
  /** Does one operation. A `fail` changes nothing. Undefined: the model knows no such operation. */
  readonly apply: (state: State, call: Call) => { readonly state: State; readonly answer: Answer } | undefined
  /** Equal for equal states, and for no others. */
  readonly fingerprint: (state: State) => string
  /** What only grows as operations take effect, if anything does. It saves time, and changes no verdict. */
  readonly rank?: {
    readonly of: (state: State) => number
    /** The greatest rank of a state from which an operation can still be told this. */
    readonly max: (told: Told) => number
  }
  /** What an operation leaves behind that no other does, if anything. It saves time, and changes no verdict. */
  readonly trace?: {
    /** And the kind of the operation: those of one kind differ in nothing but their traces. */
    readonly left: (call: Call) => { readonly trace: string; readonly kind: string } | undefined
    /** The trace that an answer shows, and what the operation that left it must have been answered. */
    readonly found: (told: Told) => { readonly trace: string; readonly answer: Answer } | undefined
  }
}

export interface Call {
  readonly op: string
  readonly value: Schema.Json
}

export interface Told {
  readonly op: string
  readonly answer: Answer
}

export type Verdict =
  /** `orders` holds an order of effects for each key, without the operations that had none. */
  | { readonly _tag: "Linearizable"; readonly orders: ReadonlyMap<string, ReadonlyArray<Operation>> }
  | { readonly _tag: "NotLinearizable"; readonly key: string; readonly reason: string }
  /** Neither was found within the bound. */
  | { readonly _tag: "Undecided"; readonly keys: ReadonlyArray<string>; readonly stepsMax: number }

export interface Options {
  /** How many times the model may be asked, over all keys. Memory grows with it too: about 100 bytes a step at worst. */
  readonly stepsMax: number
}

export const defaults: Options = { stepsMax: 2_000_000 }

/** Judges every key; one that cannot be is the answer, whatever the others are. */
export const check = <State>(
  model: Model<State>,
  operations: ReadonlyArray<Operation>,
  options: Options = defaults
): Verdict => {
  const orders = new Map<string, ReadonlyArray<Operation>>()
  const undecided: Array<string> = []
  let stepsLeft = options.stepsMax
  for (const [key, ofKey] of Map.groupBy(operations, (operation) => operation.key)) {
    const found = search(model, prepare(model, ofKey), stepsLeft)
    stepsLeft -= found.stepsCount
    if (found._tag === "NotFound") return { _tag: "NotLinearizable", key, reason: found.reason }
    if (found._tag === "GaveUp") undecided.push(key)
    else orders.set(key, found.order)
  }
  return undecided.length > 0
    ? { _tag: "Undecided", keys: undecided, stepsMax: options.stepsMax }
    : { _tag: "Linearizable", orders }
}

/** What is to be placed in order, and what may be. */
interface Problem {
  readonly ended: ReadonlyArray<{
    readonly operation: Operation
    readonly returned: NonNullable<Operation["returned"]>
  }>
  readonly unknown: ReadonlyArray<Operation>
  /** The number of the unknown operation before, to which this one is equal but for its beginning; −1 if there is none. */
  readonly equalBefore: ReadonlyArray<number>
}

/**
 * Leaves little unknown, for what is unknown multiplies the orders to try. An operation whose trace was seen is done,
 * and was so when the first that saw it ended. Those whose traces nobody saw are equal if they are of one kind: it is
 * enough to try the first that began.
 */
const prepare = <State>({ trace }: Model<State>, operations: ReadonlyArray<Operation>): Problem => {
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

type Found = { readonly stepsCount: number } & (
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

const search = <State>(model: Model<State>, problem: Problem, stepsMax: number): Found => {
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
  /** The state after an operation, if that is what its client was told. */
  const afterEnded = (number: number): State | undefined => {
    const applied = apply(ended[number]!.operation)
    if (applied.answer.type !== told[number]!.answer.type) return undefined
    const result = expected[number]
    return result === undefined || canonical(applied.answer.result ?? null) === result ? applied.state : undefined
  }
  /** One that changes nothing, or nothing visible, need not be placed at all. */
  const afterUnknown = (number: number): State | undefined => {
    const applied = apply(unknown[number]!)
    return model.fingerprint(applied.state) === model.fingerprint(state) ? undefined : applied.state
  }
  /** The first return: what was called before it may be next, and its own operation must be placed before it. */
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
