/** Follows the changes of one model, over HTTP. It moves to another node by itself, and goes on where it was. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { changesPath } from "../../Http/Paths.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import { checkChanges, type FollowChanges, type Told } from "../ChangeStream.ts"
import { misread } from "../Failure.ts"
import { decoded } from "./Answer.ts"
import { type Reached, readEvents, type StreamEvent } from "./EventReader.ts"

const decodeBookmark = Schema.decodeUnknownResult(
  Schema.Struct({
    index: Schema.Int,
    staleMs: Schema.optionalKey(Schema.Number),
    initialEnd: Schema.optionalKey(Schema.Boolean)
  })
)
const decodeRecord = Schema.decodeUnknownResult(
  Schema.Struct({
    index: Schema.Int,
    at: Schema.optionalKey(Schema.String),
    id: Schema.String,
    version: Schema.Int,
    record: Schema.Unknown
  })
)

/** What an event is, by its name. An event of another name is for a later client. */
const types: ReadonlyArray<string> = ["created", "updated", "deleted", "record", "bookmark"]

/** Makes the way to follow a model's changes. A local model is of the first node alone. */
export const followChanges =
  <M extends RowClass>(reached: Reached, model: M): FollowChanges<M> =>
  (options = {}) => {
    const { decode, descriptor } = codecsOf(model)
    const { after, initial = false } = options
    const nodes = descriptor.mode === "local" ? reached.nodes.slice(0, 1) : reached.nodes
    const events = readEvents({ ...reached, nodes }, (lastId = after) => ({
      method: "GET",
      path: changesPath(descriptor),
      query: lastId !== undefined ? [["after", lastId]] : initial ? [["initial", "true"]] : []
    }))

    const told = ({ data, event, id }: StreamEvent): Result.Result<Told<M>, Schema.SchemaError> => {
      const position = id ?? ""
      if (event === "bookmark") {
        return Result.map(decodeBookmark(data), ({ index, initialEnd = false, staleMs }) => ({
          type: "bookmark",
          index,
          staleMs,
          isInitialEnd: initialEnd,
          position
        }))
      }
      return Result.flatMap(decodeRecord(data), ({ at, id, index, record, version }) =>
        Result.map(decode(record), (row) => ({
          type: event as "created",
          id: id as never,
          version,
          row,
          index,
          timeMs: at === undefined ? undefined : Date.parse(at),
          position
        }))
      )
    }
    return Stream.unwrap(
      Effect.as(
        misread(checkChanges(options)),
        Stream.mapEffect(
          Stream.filter(events, ({ event }) => types.includes(event)),
          (event) => decoded(told(event))
        )
      )
    )
  }
