/**
 * Bounds the age of this node's state: it remembers which index a quorum confirmed, and when that read began. It starts
 * empty, so a node that has just started claims no age. Reads.ts says how a quorum confirms. Diss. 6.4.
 */
import { Effect, Exit, Schedule } from "effect"
import type { NotDone } from "../Raft/node/Outcome.ts"
import { type Begin, outcomeOf } from "../Raft/node/Settle.ts"

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
  /** Settles once this node's state is linearizable for a read that begins now, with its index. */
  readonly readIndexUnsafe: Begin<number, NotDone>
  /** {@link readIndexUnsafe} as an Effect. */
  readonly readIndex: Effect.Effect<number, NotDone>
  /** The greatest possible age of a state at `index`; undefined while no confirmation covers it. */
  readonly staleMs: (index: number, nowMs: number) => number | undefined
  /** Asks for a first confirmation, even if no client asks for a linearizable read. Never ends. */
  readonly first: Effect.Effect<never>
}

export const make = (options: {
  readonly readIndex: Begin<number, NotDone>
  /** The monotonic time. */
  readonly nowMs: () => number
  /** Called when a quorum has confirmed an index. */
  readonly onConfirmed?: () => void
}): Confirming => {
  /** By ascending index. */
  let kept: ReadonlyArray<Confirmation> = []

  const readIndexUnsafe: Begin<number, NotDone> = (settle) => {
    const beganMs = options.nowMs()
    return options.readIndex((exit) => {
      if (Exit.isSuccess(exit)) {
        kept = withAnother(kept, { index: exit.value, beganMs })
        options.onConfirmed?.()
      }
      settle(exit)
    })
  }
  const readIndex = outcomeOf(readIndexUnsafe)

  return {
    readIndexUnsafe,
    readIndex,
    staleMs: (index, nowMs) => {
      const known = kept.findLast((each) => each.index <= index)
      return known === undefined ? undefined : Math.max(0, nowMs - known.beganMs)
    },
    first: readIndex.pipe(Effect.retry(Schedule.spaced(askAgainMs)), Effect.ignore, Effect.andThen(Effect.never))
  }
}

/**
 * Adds a confirmation, unless a kept one has a higher index and began later. Past the limit it drops every second one.
 */
export const withAnother = (kept: ReadonlyArray<Confirmation>, one: Confirmation): ReadonlyArray<Confirmation> => {
  const last = kept[kept.length - 1]
  // Most reads come in order.
  if (last !== undefined && one.index === last.index && one.beganMs >= last.beganMs) return kept.with(-1, one)
  const saysMore = (a: Confirmation, b: Confirmation) => a.index <= b.index && a.beganMs >= b.beganMs
  if (kept.some((each) => saysMore(each, one))) return kept
  const all = [...kept.filter((each) => !saysMore(one, each)), one].sort((a, b) => a.index - b.index)
  return all.length <= keptMaxCount ? all : all.filter((_, at) => at % 2 === 0)
}
