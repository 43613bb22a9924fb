/**
 * The requests of clients and the answers that they got, in order: the input of a linearizability checker. As text it is
 * JSON lines, one event a line, which docs/testing.md specifies for other checkers. Pure. A model, such as Register.ts,
 * says what is allowed, and Linearizability.ts judges. Herlihy & Wing 1990.
 */
import { Result, Schema } from "effect"

/** How an operation of a client begins, or ends. */
export const Event = Schema.Struct({
  /**
   * `invoke`: it begins. `ok`: it is done. `fail`: it is certainly not done, now and later.
   * `info`: nobody knows; it may take effect at any time after its beginning, or never.
   */
  type: Schema.Literals(["invoke", "ok", "fail", "info"]),
  /** The process of the client. It does one thing at a time, and nothing after an `info`, which may still be going on. */
  process: Schema.Int,
  /** On one monotonic clock, from anywhere. The order of the events is what counts. */
  timeMs: Schema.Finite,
  /** The object that it is about. Objects are judged one by one: linearizability is local (Herlihy & Wing, §3.1). */
  key: Schema.String,
  /** `read`, `write`, `cas`, `create`, `delete`, or whatever the model knows. */
  op: Schema.String,
  /** With `invoke`: what it was given. */
  value: Schema.optionalKey(Schema.Json),
  /** With `ok` and `fail`: the answer that the client got, which must be true too. Absent: it got only the type. */
  result: Schema.optionalKey(Schema.Json)
})
export type Event = typeof Event.Type

/** What a client was told at the end of an operation. */
export interface Answer {
  readonly type: "ok" | "fail"
  readonly result?: Schema.Json
}

/** An operation from its beginning to its end, by the positions of its events in the history. */
export interface Operation {
  readonly process: number
  readonly key: string
  readonly op: string
  readonly value: Schema.Json
  readonly invokedAt: number
  /** Undefined: its outcome is unknown, and it may take effect at any later time or never. */
  readonly returned: { readonly at: number; readonly answer: Answer } | undefined
}

/** A text is not a history: a line is not an event, or an event cannot follow those before it. Lines count from 1. */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly line: number
  readonly message: string
}

const Line = Schema.fromJsonString(Event)
const decodeLine = Schema.decodeUnknownResult(Line, { onExcessProperty: "error" })
const encodeLine = Schema.encodeSync(Line)

/** One event as a line, its end included. */
export const encodeEvent = (event: Event): string => `${encodeLine(event)}\n`

export const encode = (events: ReadonlyArray<Event>): string => events.map(encodeEvent).join("")

/** The events of a text; a last line without its end is an event too, an empty line is none. */
export const decode = (text: string): Result.Result<ReadonlyArray<Event>, Malformed> => {
  const events: Array<Event> = []
  for (const [at, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue
    const event = decodeLine(line)
    if (Result.isFailure(event)) return malformed(at + 1, event.failure.message)
    events.push(event.success)
  }
  return Result.succeed(events)
}

/**
 * The operations of a history, in the order in which they began. One that never ended is unknown. One that ended as
 * certainly not done is left out, unless its client was told more than that.
 */
export const operations = (events: ReadonlyArray<Event>): Result.Result<ReadonlyArray<Operation>, Malformed> => {
  const found: Array<Operation | undefined> = []
  const pending = new Map<number, { readonly at: number; readonly event: Event }>()
  const gone = new Set<number>()
  for (const [at, event] of events.entries()) {
    const { key, op, process, type } = event
    if (at > 0 && event.timeMs < events[at - 1]!.timeMs) return malformed(at + 1, "Its time is before that of the last")
    const begun = pending.get(process)
    if (type === "invoke") {
      if (begun !== undefined) return malformed(at + 1, `Process ${process} is busy since line ${begun.at + 1}`)
      if (gone.has(process)) return malformed(at + 1, `Process ${process} ended with an unknown outcome`)
      pending.set(process, { at, event })
      found[at] = { process, key, op, value: event.value ?? null, invokedAt: at, returned: undefined }
      continue
    }
    if (begun === undefined || begun.event.key !== key || begun.event.op !== op) {
      return malformed(at + 1, `Process ${process} has begun no ${op} of ${JSON.stringify(key)}`)
    }
    pending.delete(process)
    if (type === "info") gone.add(process)
    else if (type === "fail" && event.result === undefined) found[begun.at] = undefined
    else {
      const answer = { type, ...(event.result === undefined ? {} : { result: event.result }) }
      found[begun.at] = { ...found[begun.at]!, returned: { at, answer } }
    }
  }
  return Result.succeed(found.filter((operation) => operation !== undefined))
}

const malformed = (line: number, message: string): Result.Result<never, Malformed> =>
  Result.fail({ _tag: "Malformed", line, message })
