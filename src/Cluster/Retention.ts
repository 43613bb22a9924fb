/**
 * Bounds the history of the cluster's log. The leader finds the first entry to retain, and decides it as an entry, so
 * that all nodes retain the same; every node removes the files before it. Local/Retention.ts has the bounds.
 */
import { Clock, Effect } from "effect"
import type { History } from "../EventStore/History.ts"
import { type Bounds, looking, retainedFrom } from "../Local/Retention.ts"
import type { Command } from "../Machine/Command.ts"
import * as Format from "../Machine/Format.ts"
import type { Tables } from "../Machine/Tables.ts"

/** Follows the bounds, and what is decided of them. Never ends. */
export const follow = (options: {
  readonly history: History["Service"]
  readonly bounds: Bounds
  readonly tables: () => Tables
  readonly isLeader: () => boolean
  /** Decides a command here, and forgets the outcome: the next look sees it. */
  readonly submit: (command: Command) => Effect.Effect<void>
}): Effect.Effect<never> => {
  const { bounds, history, isLeader, submit, tables } = options
  const isBounded = bounds.ageMs !== undefined || bounds.bytes !== undefined
  return looking(
    Effect.gen(function* () {
      yield* history.removeBelow(tables().retainedFrom)
      if (!isBounded || !isLeader() || !Format.isFormatActive(tables(), Format.retaining)) return
      const fromIndex = yield* retainedFrom(history, bounds, yield* Clock.currentTimeMillis)
      if (fromIndex === undefined || fromIndex <= tables().retainedFrom) return
      yield* submit({ _tag: "Retain", fromIndex })
      yield* history.removeBelow(tables().retainedFrom)
    })
  )
}
