/**
 * How old the state of a node is at most: which of its indexes a quorum confirmed, for reads that began when. Nothing of
 * a former life counts, so that a node that has just started claims no age. How a quorum confirms is Reads.ts. Diss. 6.4.
 */
import { Effect, Schedule } from "effect"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { NotDone } from "../Raft/node/Outcome.ts"
import * as Attempts from "./Attempts.ts"

/** Confirmations that are kept: they tell the age of projections that lag behind the tables too. */
const keptMaxCount = 64
/** How long after a refusal a node that has just started asks again. */
const askAgainMs = 100

interface Confirmation {
  readonly index: number
  readonly beganMs: number
}

export interface Confirming {
  /** Waits until this node's state is linearizable for a read that begins now; gives its index. */
  readonly readIndex: Effect.Effect<number, NotDone>
  /** How long ago, at most, a state at `index` was the newest there was; undefined while nothing confirms it. */
  readonly staleMs: (index: number, nowMs: number) => number | undefined
  /** Sees to a first confirmation, though nobody has asked for a linearizable read. Never ends. */
  readonly first: Effect.Effect<never>
}

export const make = (readIndex: Effect.Effect<number, NotDone>): Confirming => {
  /** By ascending index. */
  let kept: ReadonlyArray<Confirmation> = []

  const confirm = Effect.gen(function* () {
    const beganMs = yield* monotonicMs
    const index = yield* readIndex
    kept = withAnother(kept, { index, beganMs })
    return index
  })

  return {
    readIndex: confirm,
    staleMs: (index, nowMs) => {
      const known = kept.findLast((each) => each.index <= index)
      return known === undefined ? undefined : Math.max(0, nowMs - known.beganMs)
    },
    first: confirm.pipe(Effect.retry(Schedule.spaced(askAgainMs)), Effect.ignore, Effect.andThen(Effect.never))
  }
}

/** Asks consensus for a read index, at one leader after another. */
export const readIndexOf = (
  leadership: Attempts.Leadership,
  readIndex: () => Effect.Effect<number, NotDone>
): Effect.Effect<number, NotDone> =>
  Attempts.untilAnswered({
    leadership,
    isRepeatable: false,
    attempt: (_, timeoutMs) => withinTime(Effect.suspend(readIndex), timeoutMs)
  })

const lagging = new NotDone({
  reason: "no-quorum",
  message: "This node is too far behind the leader to serve this read"
})

/** A follower may be cut off from the entries that it was told of. */
export const withinTime = (readIndex: Effect.Effect<number, NotDone>, timeoutMs: number) =>
  Effect.timeoutOrElse(readIndex, { duration: timeoutMs, orElse: () => Effect.fail(lagging) })

/** One that says no more than another, of a lower index and a later time, is not kept; past the bound every other goes. */
export const withAnother = (kept: ReadonlyArray<Confirmation>, one: Confirmation): ReadonlyArray<Confirmation> => {
  const saysMore = (a: Confirmation, b: Confirmation) => a.index <= b.index && a.beganMs >= b.beganMs
  if (kept.some((each) => saysMore(each, one))) return kept
  const all = [...kept.filter((each) => !saysMore(one, each)), one].sort((a, b) => a.index - b.index)
  return all.length <= keptMaxCount ? all : all.filter((_, at) => at % 2 === 0)
}
