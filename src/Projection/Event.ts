/** What happened to a record, as those who follow the log meet it: decoded by its model, and named by its place in the log. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { AppliedEntry } from "../Cluster/Feed.ts"
import type { Event as LoggedEvent } from "../Machine/Event.ts"
import { type Described, describe } from "../Model/Class.ts"
import { copyOf } from "../Model/PlainJson.ts"

/** A model whose events are in the replicated log: every model but a local one. */
export interface Followed extends Described<"replicated" | "mixed"> {
  readonly replicated: Schema.Top
}

/** One change of a record of `M`. */
export interface Event<M extends Followed = Followed> {
  readonly model: string
  readonly type: "created" | "updated" | "deleted"
  /** The record's id as the log has it. */
  readonly id: string
  readonly version: number
  /** The replicated part of the record after the change; for a deletion, the last one. */
  readonly record: M["replicated"]["Type"]
  /** The entry that holds the event, and which of the entry's events it is, from 0: together they name it, for ever. */
  readonly index: number
  readonly ordinal: number
  /** When it was decided, by the clock of the leader. It never goes back from one entry to the next. */
  readonly timeMs: number
}

/** The event of any of these models. */
export type EventOf<Models extends ReadonlyArray<Followed>> = { [K in keyof Models]: Event<Models[K]> }[number]

/** Whether an event is one of this model, where a follower has several. */
export const isOf = <M extends Followed>(event: Event, model: M): event is Event<M> =>
  event.model === describe(model).name

/** The name of an event: for a receiver that must know whether it has seen it before. */
export const eventId = ({ index, ordinal }: Pick<Event, "index" | "ordinal">): string => `${index}.${ordinal}`

/** The events of an entry that are of some models, or why one cannot be read: its record is of another shape than the model is now. */
export type EventsOf<Models extends ReadonlyArray<Followed>> = (
  entry: AppliedEntry
) => Result.Result<ReadonlyArray<EventOf<Models>>, string>

const none = Result.succeed([])

/** Reads the events of these models. */
export const eventsOf = <const Models extends ReadonlyArray<Followed>>(models: Models): EventsOf<Models> => {
  const decoders = new Map(models.map((model) => [describe(model).name, decoderOf(model)]))
  return ({ index, transaction }) => {
    const logged = transaction?.events ?? []
    if (transaction === undefined || !logged.some(({ model }) => decoders.has(model))) return none
    const events: Array<Event> = []
    for (const [ordinal, event] of logged.entries()) {
      const decode = decoders.get(event.model)
      if (decode === undefined) continue
      const record = decode(event)
      if (Result.isFailure(record)) return Result.fail(record.failure)
      const { id, model, type, version } = event
      events.push({ model, type, id, version, record: record.success, index, ordinal, timeMs: transaction.timeMs })
    }
    return Result.succeed(events as ReadonlyArray<EventOf<Models>>)
  }
}

/** A schema of the model's may throw, as its check may: what it throws is not told, for it may hold anything. */
const decoderOf = (model: Followed) => {
  const { version } = describe(model)
  const codec = Schema.toCodecJson(model.replicated) as unknown as Schema.Codec<unknown, unknown>
  const decode = Schema.decodeUnknownResult(codec)
  return ({ data, id, modelVersion }: LoggedEvent): Result.Result<unknown, string> => {
    const what = `the record ${id}, written by version ${modelVersion} of its model,`
    // It may well decode, without what this node knows nothing of: then two nodes would come to two states.
    if (modelVersion > version) return Result.fail(`${what} is newer than this node, which has version ${version}`)
    return Result.mapError(
      Result.flatMap(Result.try({ try: () => decode(copyOf(data)), catch: () => undefined }), (decoded) => decoded),
      () => `${what} does not fit the model of this node`
    )
  }
}
