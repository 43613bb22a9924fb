/** Follows the changes of one model or of several, over HTTP. It moves to another node by itself, and goes on where it was. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { allChangesPath, changesPath } from "../../Http/Paths.ts"
import { describe } from "../../Model/Class.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import {
  type ChangesOptions,
  checkChanges,
  checkSeveral,
  type FollowChanges,
  type FollowSeveral,
  type Named,
  nameMember,
  type Told
} from "../ChangeStream.ts"
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
const decodeErased = Schema.decodeUnknownResult(
  Schema.Struct({ index: Schema.Int, at: Schema.String, model: Schema.String, id: Schema.String })
)
const decodeLeft = Schema.decodeUnknownResult(
  Schema.Struct({ index: Schema.Int, model: Schema.String, id: Schema.String })
)
const decodeRecord = Schema.decodeUnknownResult(
  Schema.Struct({
    index: Schema.Int,
    at: Schema.optionalKey(Schema.String),
    model: Schema.String,
    id: Schema.String,
    version: Schema.Int,
    record: Schema.Unknown
  })
)

/** What an event is, by its name. An event of another name is for a later client. */
const types: ReadonlyArray<string> = ["created", "updated", "deleted", "erased", "left", "record", "bookmark"]

/** Makes the way to follow a model's changes. A local model is of the first node alone. */
export const followChanges =
  <M extends RowClass>(reached: Reached, model: M): FollowChanges<M> =>
  (options = {}) => {
    const descriptor = describe(model)
    const nodes = descriptor.mode === "local" ? reached.nodes.slice(0, 1) : reached.nodes
    const events = follow({ ...reached, nodes }, [[undefined, model]], { path: changesPath(descriptor), options })
    return Stream.unwrap(Effect.as(misread(checkChanges(options)), events)) as ReturnType<FollowChanges<M>>
  }

/** Makes the way to follow the changes of several models. */
export const followSeveral = (reached: Reached): FollowSeveral =>
  ((models: Readonly<Record<string, RowClass>>, options: ChangesOptions = {}) => {
    const paths = Object.values(models).map((model) => describe(model).path)
    const events = follow(reached, Object.entries(models), { path: allChangesPath, paths, options })
    return Stream.unwrap(Effect.as(misread(checkSeveral(models, options)), events))
  }) as FollowSeveral

const follow = (
  reached: Reached,
  named: Named,
  asked: { readonly path: string; readonly paths?: ReadonlyArray<string>; readonly options: ChangesOptions }
) => {
  const { options, path, paths } = asked
  const { after, initial = false } = options
  const followed = new Map(named.map(([name, model]) => [describe(model).name, { ...codecsOf(model), name }]))
  const events = readEvents(reached, (lastId = after) => ({
    method: "GET",
    path,
    query: [
      ...(paths === undefined ? [] : [["models", paths.join(",")] as const]),
      ...(lastId !== undefined ? [["after", lastId] as const] : initial ? [["initial", "true"] as const] : [])
    ]
  }))

  const told = ({ data, event, id }: StreamEvent): Result.Result<Told<RowClass>, { readonly message: string }> => {
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
    const modelOf = (model: string) => {
      const found = followed.get(model)
      return found === undefined
        ? Result.fail({ message: `An event is of ${model}, which was not asked for` })
        : Result.succeed(found)
    }
    if (event === "erased") {
      return Result.flatMap(decodeErased(data), ({ at, id, index, model }) =>
        Result.map(modelOf(model), ({ name }) => ({
          type: "erased",
          ...nameMember(name),
          id: id as never,
          index,
          timeMs: Date.parse(at),
          position
        }))
      )
    }
    if (event === "left") {
      return Result.flatMap(decodeLeft(data), ({ id, index, model }) =>
        Result.map(modelOf(model), ({ name }) => ({
          type: "left",
          ...nameMember(name),
          id: id as never,
          index,
          position
        }))
      )
    }
    return Result.flatMap(decodeRecord(data), ({ at, id, index, model, record, version }) => {
      const of = modelOf(model)
      if (Result.isFailure(of)) return Result.fail(of.failure)
      const found = of.success
      return Result.map(found.decode(record), (row) => ({
        type: event as "created",
        ...nameMember(found.name),
        id: id as never,
        version,
        row,
        index,
        timeMs: at === undefined ? undefined : Date.parse(at),
        position
      }))
    })
  }
  return Stream.mapEffect(
    Stream.filter(events, ({ event }) => types.includes(event)),
    (event) => decoded(told(event))
  )
}
