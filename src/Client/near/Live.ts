/** Keeps pages of lists right, by the services of a node. Live/LiveQueries.ts follows the log. */
import { Effect, Result, Stream } from "effect"
import type { Caller } from "../../Access/Caller.ts"
import { fingerprintOf, nextCursor } from "../../Http/ListQuery.ts"
import { limitDefault } from "../../Http/PageLimit.ts"
import type { LiveMessage, LiveQueries } from "../../Live/LiveQueries.ts"
import type { Item } from "../../Live/Window.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import type { Problem } from "../../Problem.ts"
import { misread, Unreadable } from "../Failure.ts"
import { listedOf } from "../ListOptions.ts"
import { checkLive, type FollowLive } from "../LivePage.ts"
import * as LiveView from "../LiveView.ts"
import { afterOf } from "./Cursor.ts"
import type { Session } from "./Reading.ts"

/** The services that keep pages right. */
export interface LiveOptions {
  readonly caller: Caller
  readonly live: LiveQueries["Service"]
  readonly session: Session
}

/** Makes the way to keep pages of a model's records right. */
export const make =
  <M extends RowClass>({ caller, live, session }: LiveOptions, model: M): FollowLive<M> =>
  (options = {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* misread(checkLive(options))
        const consistency = yield* session.consistencyOf(options)
        const codecs = codecsOf(model)
        const { descriptor } = codecs
        const { cursor, limit = limitDefault } = options
        const listed = yield* misread(listedOf(codecs, options))
        const fingerprint = fingerprintOf(descriptor, listed)
        const after =
          cursor === undefined ? undefined : yield* misread(afterOf(codecs, listed, { cursor, fingerprint }))
        const view = LiveView.make(codecs)
        const opened = live.open(caller, [{ descriptor, ...listed, limit, after, select: undefined }], {
          consistency,
          minIndex: 0
        })
        const stream = yield* Effect.mapError(opened, (failure) => failure.toProblem())

        const told = (message: LiveMessage["message"], staleMs: number | undefined): Result.Result<void, Problem> => {
          if (message._tag === "End") return Result.fail(message.failure.toProblem())
          const { index, lastKey } = message
          const next = lastKey === undefined ? Result.succeed(null) : nextCursor({ fingerprint }, lastKey)
          return Result.map(next, (next) =>
            view.take(
              message._tag === "Page"
                ? { type: "page", index, staleMs, items: message.items.map(sentOf), next }
                : {
                    type: "diff",
                    index,
                    staleMs,
                    put: message.put.map(({ after, item }) => ({ ...sentOf(item), after })),
                    remove: message.remove,
                    next
                  }
            )
          )
        }

        const next = Effect.gen(function* () {
          const { index, messages, staleMs } = yield* Effect.mapError(stream.take, (failure) => failure.toProblem())
          for (const { message } of messages) yield* Effect.fromResult(told(message, staleMs))
          view.take({ type: "bookmark", index, staleMs })
          const page = view.give()
          if (Result.isFailure(page)) return yield* new Unreadable({ message: page.failure })
          return yield* session.watch(Effect.succeed(page.success))
        })
        return Stream.fromEffectRepeat(next)
      })
    )

const sentOf = ({ stamp: { id, version }, text }: Item): LiveView.Sent => ({ id, version, record: JSON.parse(text) })
