/** Keeps pages of lists right, over HTTP. It moves to another node by itself: the page there is turned into a difference. */
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { collectionPath } from "../../Http/Paths.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import type { Problem } from "../../Problem.ts"
import * as Condition from "../../Raft/node/Condition.ts"
import { misread, type NoAnswer, Unreadable } from "../Failure.ts"
import { checkLive, type FollowLive } from "../LivePage.ts"
import * as LiveView from "../LiveView.ts"
import { checkRead } from "../ReadOptions.ts"
import type { StreamEvent } from "./EventReader.ts"
import { listQuery } from "./ListQuery.ts"
import type { LiveConnection } from "./LiveConnection.ts"
import { reading } from "./Reading.ts"

const sent = { id: Schema.String, version: Schema.Int, record: Schema.Unknown }
const position = { index: Schema.Int, staleMs: Schema.optionalKey(Schema.Number) }
const decoders = {
  page: Schema.decodeUnknownResult(
    Schema.Struct({ ...position, items: Schema.Array(Schema.Struct(sent)), next: Schema.NullOr(Schema.String) })
  ),
  diff: Schema.decodeUnknownResult(
    Schema.Struct({
      ...position,
      put: Schema.Array(Schema.Struct({ ...sent, after: Schema.NullOr(Schema.String) })),
      remove: Schema.Array(Schema.String),
      next: Schema.NullOr(Schema.String)
    })
  ),
  bookmark: Schema.decodeUnknownResult(Schema.Struct(position))
}

/** Makes the way to keep pages of a model's records right. A local model is of the first node alone. */
export const followLive =
  <M extends RowClass>(connection: LiveConnection, model: M): FollowLive<M> =>
  (options = {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* misread(checkLive(options))
        yield* misread(checkRead(options))
        const codecs = codecsOf(model)
        const { descriptor } = codecs
        const asked = yield* misread(listQuery(model, options))
        const search = new URLSearchParams(asked.map(([name, value]) => [name, value])).toString()
        const view = LiveView.make(codecs)
        const bell = Condition.make()
        let failure: Problem | NoAnswer | Unreadable | undefined

        const take = ({ data, event }: StreamEvent): void => {
          const told = eventOf(event, data)
          if (told === undefined) return
          if (Result.isFailure(told)) failure ??= new Unreadable({ message: told.failure.message })
          else view.take(told.success)
          bell.changed()
        }
        const fail = (why: Problem | NoAnswer): void => {
          failure ??= why
          bell.changed()
        }
        const { query } = reading(options, 0)
        const way = { query, isSession: options.consistency === "session", isOfOneNode: descriptor.mode === "local" }
        yield* connection.join(way, { path: `${collectionPath(descriptor)}?${search}`, take, fail })

        return Stream.fromEffectRepeat(
          Effect.gen(function* () {
            yield* bell.until(() => failure !== undefined || view.isNews())
            if (failure !== undefined) return yield* Effect.fail(failure)
            const page = view.give()
            return Result.isSuccess(page) ? page.success : yield* new Unreadable({ message: page.failure })
          })
        )
      })
    )

/** An event of another name is for a later client. */
const eventOf = (event: string, data: unknown): Result.Result<LiveView.LiveEvent, Schema.SchemaError> | undefined => {
  switch (event) {
    case "page":
      return Result.map(decoders.page(data), ({ staleMs, ...told }) => ({ type: "page", staleMs, ...told }))
    case "diff":
      return Result.map(decoders.diff(data), ({ staleMs, ...told }) => ({ type: "diff", staleMs, ...told }))
    case "bookmark":
      return Result.map(decoders.bookmark(data), ({ staleMs, ...told }) => ({ type: "bookmark", staleMs, ...told }))
    default:
      return undefined
  }
}
