/** Follows the changes of one model or of several, by the services of a node. Changes/Changes.ts reads the log. */
import { Effect, Result, Stream } from "effect"
import type { Caller } from "../../Access/Caller.ts"
import type { Changes, Told as Encoded } from "../../Changes/Changes.ts"
import { type Ending, streamOf } from "../../Changes/Source.ts"
import { allChangesPath, changesPath } from "../../Http/Paths.ts"
import { describe } from "../../Model/Class.ts"
import { codecsOf, type RowClass } from "../../Model/RowCodecs.ts"
import type { Problem } from "../../Problem.ts"
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
import { misread, Unreadable } from "../Failure.ts"

/** The services that follow changes. */
export interface FollowOptions {
  readonly caller: Caller
  readonly changes: Changes["Service"]
  readonly member: Ending
}

/** Makes the way to follow a model's changes. */
export const make =
  <M extends RowClass>(services: FollowOptions, model: M): FollowChanges<M> =>
  (options = {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* misread(checkChanges(options))
        const restart = `${changesPath(describe(model))}?initial=true`
        return yield* follow(services, [[undefined, model]], { options, restart })
      })
    ) as ReturnType<FollowChanges<M>>

/** Makes the way to follow the changes of several models. `served` fails for one that the node does not serve. */
export const several = (
  services: FollowOptions,
  served: (model: RowClass) => Effect.Effect<void, Problem>
): FollowSeveral =>
  ((models: Readonly<Record<string, RowClass>>, options: ChangesOptions = {}) =>
    Stream.unwrap(
      Effect.gen(function* () {
        yield* misread(checkSeveral(models, options))
        yield* Effect.forEach(Object.values(models), served, { discard: true })
        const paths = Object.values(models).map((model) => describe(model).path)
        const restart = `${allChangesPath}?models=${paths.join(",")}&initial=true`
        return yield* follow(services, Object.entries(models), { options, restart })
      })
    )) as FollowSeveral

const follow = Effect.fnUntraced(function* (
  { caller, changes, member }: FollowOptions,
  named: Named,
  { options, restart }: { readonly options: ChangesOptions; readonly restart: string }
) {
  const followed = new Map(
    named.map(([name, model]) => {
      const { decode, descriptor } = codecsOf(model)
      return [descriptor.name, { decode, descriptor, name }] as const
    })
  )
  const following = yield* changes.follow(caller, {
    models: Array.from(followed.values(), ({ descriptor }) => descriptor),
    after: options.after,
    isInitial: options.initial === true,
    restart
  })
  const decoded = (told: Encoded): Effect.Effect<Told<RowClass>, Unreadable> => {
    const position = following.format(told.position)
    if (told._tag === "Bookmark") {
      const { index, isInitialEnd, staleMs } = told
      return Effect.succeed({ type: "bookmark", index, staleMs, isInitialEnd, position })
    }
    if (told._tag === "Erased") {
      const { id, timeMs } = told
      const { index } = told.position
      const { name } = followed.get(told.model)!
      return Effect.succeed({ type: "erased", ...nameMember(name), id: id as never, index, timeMs, position })
    }
    if (told._tag === "Left") {
      const { id, index } = told
      const { name } = followed.get(told.model)!
      return Effect.succeed({ type: "left", ...nameMember(name), id: id as never, index, position })
    }
    const { id, version } = told
    const { decode, name } = followed.get(told.model)!
    const how =
      told._tag === "Change"
        ? { type: told.type, index: told.position.index, timeMs: told.timeMs }
        : ({ type: "record", index: told.changedIndex, timeMs: undefined } as const)
    return Effect.fromResult(
      Result.mapBoth(decode(told.record), {
        onFailure: ({ message }) => new Unreadable({ message }),
        // The id is one of the model's: its log has it.
        onSuccess: (row) => ({ ...how, ...nameMember(name), id: id as never, version, row, position })
      })
    )
  }
  return Stream.mapEffect(streamOf(following, member), decoded)
})
