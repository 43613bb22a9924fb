/** A change of a record, for followers of the log: decoded by its model, and named by its place in the log. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { AppliedEntry } from "../Cluster/Feed.ts"
import type { Event as LoggedEvent } from "../Machine/Event.ts"
import { type Described, describe } from "../Model/Class.ts"
import { copyOf } from "../Model/PlainJson.ts"

/** A model whose events are in the replicated log: every model except a local one. */
export interface Followed extends Described<"replicated" | "mixed"> {
  readonly replicated: Schema.Top
}

/** One change of a record of `M`. */
export interface Event<M extends Followed = Followed> {
  readonly model: string
  readonly type: "created" | "updated" | "deleted"
  /** The encoded id of the record. */
  readonly id: string
  readonly version: number
  /** The replicated part of the record after the change; after a deletion, the last one. */
  readonly record: M["replicated"]["Type"]
  /** The index of the event's entry, and the event's place in the entry, from 0. Together they name the event for ever. */
  readonly index: number
  readonly ordinal: number
  /** When the leader decided it, by the leader's clock. It never decreases from one entry to the next. */
  readonly timeMs: number
}

/** The event of any of these models. */
export type EventOf<Models extends ReadonlyArray<Followed>> = { [K in keyof Models]: Event<Models[K]> }[number]

/** Whether an event belongs to this model. Narrows its type if a follower has several models. */
export const isOf = <M extends Followed>(event: Event, model: M): event is Event<M> =>
  event.model === describe(model).name

/** The name of an event. A receiver can tell by it whether it has seen the event before. */
export const eventId = ({ index, ordinal }: Pick<Event, "index" | "ordinal">): string => `${index}.${ordinal}`

/** Reads the events of an entry that belong to some models. Fails if a record no longer fits its model. */
export type EventsOf<Models extends ReadonlyArray<Followed>> = (
  entry: AppliedEntry
) => Result.Result<ReadonlyArray<EventOf<Models>>, string>

const none = Result.succeed([])

/** Makes a reader for the events of these models. */
export const eventsOf = <const Models extends ReadonlyArray<Followed>>(models: Models): EventsOf<Models> => {
  const decoders = new Map(models.map((model) => [describe(model).name, decoderOf(model)]))
  return ({ index, transaction }) => {
    const logged = transaction?.events ?? []
    if (transaction === undefined || !logged.some(({ model }) => decoders.has(model))) return none
    const events: Array<Event> = []
    for (const [ordinal, event] of logged.entries()) {
      const decode = decoders.get(event.model)
      // An erased record is as if it had never been: what was made of it is made anew (Following.ts).
      if (decode === undefined || event.erased === true) continue
      const record = decode(event)
      if (Result.isFailure(record)) return Result.fail(record.failure)
      const { id, model, type, version } = event
      events.push({ model, type, id, version, record: record.success, index, ordinal, timeMs: transaction.timeMs })
    }
    return Result.succeed(events as ReadonlyArray<EventOf<Models>>)
  }
}

/** A model's schema and its checks may throw. The message leaves out what they throw, since that may hold any data. */
const decoderOf = (model: Followed) => {
  const { read, version } = describe(model)
  const codec = Schema.toCodecJson(model.replicated) as unknown as Schema.Codec<unknown, unknown>
  const decode = Schema.decodeUnknownResult(codec)
  return ({ data, id, modelVersion }: LoggedEvent): Result.Result<unknown, string> => {
    const what = `the record ${id}, written by version ${modelVersion} of its model,`
    // It might decode without the parts that this node does not know. Then two nodes would have different states.
    if (modelVersion > version)
      return Result.fail(`${what} is newer than version ${version}, which this node has: upgrade the node`)
    return Result.mapError(
      Result.flatMap(read.record({ data, modelVersion }), ({ shown }) =>
        Result.flatMap(Result.try({ try: () => decode(copyOf(shown)), catch: () => undefined }), (decoded) => decoded)
      ),
      () => `${what} does not fit the model of this node`
    )
  }
}
