/**
 * Bounds the age of this node's state: it remembers which index a quorum confirmed, and when that read began. It starts
 * empty, so a node that has just started claims no age. Reads.ts says how a quorum confirms. Diss. 6.4.
 */
import { Effect, Schedule } from "effect"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import type { NotDone } from "../Raft/node/Outcome.ts"
import * as Attempts from "./Attempts.ts"

/** The number of confirmations that are kept. Projections that lag behind the tables use the older ones. */
const keptMaxCount = 64
/** How long a node that has just started waits after a refusal before it asks again. */
const askAgainMs = 100

interface Confirmation {
  readonly index: number
  readonly beganMs: number
}

/** The confirmations of one node. */
export interface Confirming {
  /** Waits until this node's state is linearizable for a read that begins now, and returns its index. */
  readonly readIndex: Effect.Effect<number, NotDone>
  /** The greatest possible age of a state at `index`; undefined while no confirmation covers it. */
  readonly staleMs: (index: number, nowMs: number) => number | undefined
  /** Asks for a first confirmation, even if no client asks for a linearizable read. Never ends. */
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
  readIndex: (timeoutMs: number) => Effect.Effect<number, NotDone>
): Effect.Effect<number, NotDone> =>
  Attempts.untilAnswered({
    leadership,
    isRepeatable: false,
    attempt: (_, timeoutMs) => Effect.suspend(() => readIndex(timeoutMs))
  })

/**
 * Adds a confirmation, unless a kept one has a higher index and began later. Past the limit it drops every second one.
 */
export const withAnother = (kept: ReadonlyArray<Confirmation>, one: Confirmation): ReadonlyArray<Confirmation> => {
  const saysMore = (a: Confirmation, b: Confirmation) => a.index <= b.index && a.beganMs >= b.beganMs
  if (kept.some((each) => saysMore(each, one))) return kept
  const all = [...kept.filter((each) => !saysMore(one, each)), one].sort((a, b) => a.index - b.index)
  return all.length <= keptMaxCount ? all : all.filter((_, at) => at % 2 === 0)
}
