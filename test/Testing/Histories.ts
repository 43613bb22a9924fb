/**
 * Histories to judge: short ones written by hand, and random ones that a real sequential object made, so that they are
 * linearizable by construction. Everything random comes from a seed.
 */
import { Result, type Schema } from "effect"
import * as History from "../../src/Testing/History.ts"
import type { Model } from "../../src/Testing/SequentialModel.ts"
import { seeded } from "../Machine/Seeded.ts"

type Json = Schema.Json

/** The operations of a history that is known to be well formed. */
export const operationsOf = (events: ReadonlyArray<History.Event>): ReadonlyArray<History.Operation> => {
  const operations = History.operations(events)
  if (Result.isFailure(operations)) throw new Error(`Line ${operations.failure.line}: ${operations.failure.message}`)
  return operations.success
}

/** Writes a history down in the order in which it happened: `const end = begin(…)`, later `end(…)`. */
export const recorder = () => {
  const events: Array<History.Event> = []
  let processes = 0
  const add = (event: Omit<History.Event, "timeMs">) => void events.push({ ...event, timeMs: events.length })
  const begin = (op: string, value?: Json, key = "x") => {
    const process = processes++
    add({ type: "invoke", process, key, op, ...(value === undefined ? {} : { value }) })
    return (type: "ok" | "fail" | "info", result?: Json) =>
      add({ type, process, key, op, ...(result === undefined ? {} : { result }) })
  }
  /** One that overlaps nothing. */
  const whole = (op: string, value: Json | undefined, type: "ok" | "fail" | "info", result?: Json, key?: string) =>
    begin(op, value, key)(type, result)
  return { events, begin, whole }
}

/** Draws the next request of a client, from the values that it may have seen. */
export type Draw<State> = (options: {
  readonly below: (bound: number) => number
  readonly unique: number
  readonly state: State
}) => { readonly op: string; readonly value: Json }

/**
 * Clients overlap at random; each operation takes effect on the object at one random moment between its beginning and
 * its end, and some have their outcome hidden: of those, some take effect long after, and some never.
 */
export const generate = <State>(options: {
  readonly seed: number
  readonly model: Model<State>
  readonly draw: Draw<State>
  readonly operationsCount: number
  readonly clientsCount: number
  /** Of a thousand operations, so many are not answered. */
  readonly unknownPerMille: number
}): ReadonlyArray<History.Event> => {
  const { below } = seeded(options.seed)
  const events: Array<History.Event> = []
  let state = options.model.initial
  let nextProcess = options.clientsCount
  interface Running {
    readonly client: number
    readonly process: number
    readonly op: string
    readonly value: Json
    answer: History.Answer | undefined
  }
  const processes = Array.from({ length: options.clientsCount }, (_, client) => client)
  const running = new Map<number, Running>()
  const late: Array<Running> = []
  const add = (type: History.Event["type"], { op, process }: Running, rest: Pick<History.Event, "value" | "result">) =>
    void events.push({ type, process, timeMs: events.length, key: "x", op, ...rest })
  const takeEffect = (one: Running): void => {
    const applied = options.model.apply(state, one)!
    state = applied.state
    one.answer = applied.answer
  }
  for (let begun = 0; begun < options.operationsCount || running.size > 0; ) {
    const client = below(options.clientsCount)
    const one = running.get(client)
    if (one === undefined) {
      if (begun === options.operationsCount) continue
      const call = options.draw({ below, unique: begun++, state })
      const starting: Running = { client, process: processes[client]!, ...call, answer: undefined }
      running.set(client, starting)
      add("invoke", starting, { value: call.value })
    } else if (below(1000) < options.unknownPerMille) {
      running.delete(client)
      processes[client] = nextProcess++
      add("info", one, {})
      if (one.answer === undefined) late.push(one)
    } else if (one.answer === undefined) takeEffect(one)
    else {
      running.delete(client)
      const { result, type } = one.answer
      add(type, one, result === undefined ? {} : { result })
    }
    if (late.length > 0 && below(20) === 0) {
      const [waking] = late.splice(below(late.length), 1)
      if (below(3) > 0) takeEffect(waking!)
    }
  }
  return events
}

/** Whether any order at all is right: every one of them is tried. For a handful of operations. */
export const isLinearizableByForce = <State>(
  model: Model<State>,
  operations: ReadonlyArray<History.Operation>
): boolean => {
  const go = (state: State, left: ReadonlyArray<History.Operation>): boolean => {
    if (left.every(({ returned }) => returned === undefined)) return true
    const firstReturn = Math.min(...left.map(({ returned }) => returned?.at ?? Number.POSITIVE_INFINITY))
    return left.some((operation) => {
      if (operation.invokedAt > firstReturn) return false
      const next = after(model, state, operation)
      return (
        next !== undefined &&
        go(
          next,
          left.filter((each) => each !== operation)
        )
      )
    })
  }
  return go(model.initial, operations)
}

/** The state after an operation, if it can be next in this state. */
export const after = <State>(model: Model<State>, state: State, operation: History.Operation): State | undefined => {
  const applied = model.apply(state, operation)!
  const told = operation.returned?.answer
  const isAllowed =
    told === undefined ||
    (told.type === applied.answer.type &&
      (told.result === undefined || JSON.stringify(told.result) === JSON.stringify(applied.answer.result)))
  return isAllowed ? applied.state : undefined
}
