/** Reads the projections of a node. */
import { Clock, Effect, Result } from "effect"
import type { Caller } from "../../Access/Caller.ts"
import type { Member } from "../../Cluster/Member.ts"
import { limitDefault } from "../../Http/PageLimit.ts"
import { resumedAt, statesCursor } from "../../Http/ProjectionQuery.ts"
import { shownState } from "../../Http/ShownState.ts"
import { copyOf } from "../../Model/PlainJson.ts"
import type { Problem } from "../../Problem.ts"
import type { Folded } from "../../Projection/Definition.ts"
import type { Projections } from "../../Projection/Projections.ts"
import { decodeState } from "../../Projection/Saved.ts"
import { refusedRead } from "../../Repository/Reading.ts"
import type { Read } from "../../Repository/Records.ts"
import { misread, Unreadable } from "../Failure.ts"
import { limitOf } from "../ListOptions.ts"
import type { ReadOptions } from "../ReadOptions.ts"
import type { States } from "../States.ts"
import type { Session } from "./Reading.ts"
import type { ServedHere } from "./Served.ts"

/** Reads projections. */
export const make = (
  caller: Caller,
  projections: Projections["Service"],
  session: Session,
  served: ServedHere,
  member: Pick<Member["Service"], "policy" | "tables">
): States => {
  const valueOf = <A, E extends Failing>(read: Effect.Effect<Read<A>, E>) =>
    read.pipe(
      session.watch,
      Effect.mapBoth({ onFailure: (failure) => failure.toProblem(), onSuccess: ({ value }) => value })
    )
  const mayRead = (projection: Folded<unknown>): Effect.Effect<void, Problem> =>
    Effect.flatMap(Clock.currentTimeMillis, (nowMs) => {
      const { policy, tables } = member
      const { name } = projection
      const denied = refusedRead({ policy, tables, nowMs }, caller, { name, rule: policy?.projections.get(name) })
      return denied === undefined ? Effect.void : Effect.fail(denied.toProblem())
    })
  const consistencyOf = (projection: Folded<unknown>, options: ReadOptions) =>
    Effect.andThen(Effect.andThen(served.projection(projection), mayRead(projection)), session.consistencyOf(options))
  return {
    get: (projection, options = {}) =>
      consistencyOf(projection, options).pipe(
        Effect.flatMap((consistency) => valueOf(projections.get(projection, consistency))),
        Effect.flatMap((state) => ownState(projection, state))
      ),
    getKey: (projection, key, options = {}) =>
      consistencyOf(projection, options).pipe(
        Effect.flatMap((consistency) => valueOf(projections.getKey(projection, key, consistency))),
        Effect.flatMap((state) =>
          state === undefined ? Effect.succeedNone : Effect.asSome(ownState(projection, state))
        )
      ),
    page: Effect.fnUntraced(function* (projection, { cursor, limit = limitDefault, ...options } = {}) {
      const consistency = yield* consistencyOf(projection, options)
      yield* misread(limitOf(limit))
      const after = cursor === undefined ? {} : { after: yield* Effect.fromResult(resumedAt(projection, cursor)) }
      const { hasMore, items } = yield* valueOf(projections.page(projection, { limit, ...after }, consistency))
      const last = items.at(-1)
      const next = hasMore && last !== undefined ? statesCursor(projection, last.key) : undefined
      return {
        items: yield* Effect.forEach(items, ({ key, state }) =>
          Effect.map(ownState(projection, state), (value) => ({ key, value }))
        ),
        next
      }
    })
  }
}

/** The program's own copy of a state: the node goes on folding the original. */
const ownState = <S>(projection: Folded<S>, state: S): Effect.Effect<S, Problem | Unreadable> =>
  Effect.flatMap(shownState(projection, state), (encoded) =>
    Effect.fromResult(
      Result.mapError(
        decodeState(projection, copyOf(encoded)),
        (wrong) => new Unreadable({ message: `A state of ${projection.name} ${wrong}` })
      )
    )
  )

type Failing = { readonly toProblem: () => Problem }
