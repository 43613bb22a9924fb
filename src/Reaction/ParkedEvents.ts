/** Tries parked events again when an operator says so, each once. */
import { type Cause, Effect, Result } from "effect"
import type { AppliedEntry, Feed } from "../Cluster/Feed.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { Event } from "../Projection/Event.ts"
import { metOf } from "./Led.ts"
import { isSameEvent, type Parked } from "./Position.ts"
import type { Keeper } from "./Record.ts"

/** What a follower does with its parked events. */
export interface Trying<E, R> {
  readonly record: Pick<Keeper, "isSteered" | "recorded" | "resync">
  readonly feed: Pick<Feed, "entry">
  readonly eventsOf: (entry: AppliedEntry) => Result.Result<ReadonlyArray<Event>, string>
  /** Whether it can be tried now; it stays due otherwise. */
  readonly isReady: (parked: Parked) => boolean
  /** Tries an event. The cause if it fails. */
  readonly run: (event: Event) => Effect.Effect<Cause.Cause<unknown> | undefined, E, R>
  /** Records the parked events that are left. */
  readonly recordParked: (left: (all: ReadonlyArray<Parked>) => ReadonlyArray<Parked>) => Effect.Effect<void>
}

const failureOf = Effect.fnUntraced(function* <E, R>({ eventsOf, feed, run }: Trying<E, R>, parked: Parked) {
  const entry = yield* feed.entry(parked.index)
  if (entry === undefined) return `This node no longer holds entry ${parked.index}`
  const events = eventsOf(entry)
  if (Result.isFailure(events)) return events.failure
  const event = events.success.find((each) => isSameEvent(each, parked))
  if (event === undefined) return "This event is not followed any more"
  const cause = yield* run(event)
  return cause === undefined ? undefined : metOf(cause)
})

/** Tries the events that are due. One that fails stays parked, with its failure. */
export const tryDue = Effect.fnUntraced(function* <E, R>(
  trying: Trying<E, R>
): Effect.fn.Return<void, E | LogFailed | LogCorrupt, R> {
  const { isReady, record, recordParked } = trying
  if (record.isSteered()) yield* record.resync
  for (const parked of record.recorded().parked) {
    if (!parked.isDue || !isReady(parked)) continue
    const failure = yield* failureOf(trying, parked)
    yield* recordParked((all) =>
      all.flatMap((each) => {
        if (!isSameEvent(each, parked)) return [each]
        return failure === undefined ? [] : [{ ...each, isDue: false, failure }]
      })
    )
  }
})
