/** Follows the changes of one model, by the services of a node. Changes/Changes.ts reads the log. */
import { Effect, Result, Stream } from "effect"
import type { Changes, Told as Encoded } from "../../Changes/Changes.ts"
import { type Ending, streamOf } from "../../Changes/Source.ts"
import { changesPath } from "../../Http/Paths.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import { checkChanges, type FollowChanges, type Told } from "../ChangeStream.ts"
import { misread, Unreadable } from "../Failure.ts"

/** The services that follow changes. */
export interface FollowOptions {
  readonly changes: Changes["Service"]
  readonly member: Ending
}

/** Makes the way to follow a model's changes. */
export const make =
  <M extends RowClass>({ changes, member }: FollowOptions, model: M): FollowChanges<M> =>
  (options = {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* misread(checkChanges(options))
        const { decode, descriptor } = codecsOf(model)
        const follow = yield* changes.follow({
          models: [descriptor],
          after: options.after,
          isInitial: options.initial === true,
          restart: `${changesPath(descriptor)}?initial=true`
        })
        const decoded = (told: Encoded): Effect.Effect<Told<M>, Unreadable> => {
          const position = follow.format(told.position)
          if (told._tag === "Bookmark") {
            const { index, isInitialEnd, staleMs } = told
            return Effect.succeed({ type: "bookmark", index, staleMs, isInitialEnd, position })
          }
          const { id, version } = told
          const how =
            told._tag === "Change"
              ? { type: told.type, index: told.position.index, timeMs: told.timeMs }
              : ({ type: "record", index: told.changedIndex, timeMs: undefined } as const)
          return Effect.fromResult(
            Result.mapBoth(decode(told.record), {
              onFailure: ({ message }) => new Unreadable({ message }),
              // The id is one of the model's: its log has it.
              onSuccess: (row) => ({ ...how, id: id as never, version, row, position })
            })
          )
        }
        return Stream.mapEffect(streamOf(follow, member), decoded)
      })
    )
