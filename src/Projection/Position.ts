/**
 * The position of a follower of the log: the entry that it reads next, and why it ended. Pure, owned, mutable.
 * Following.ts has the fiber that reads.
 */

import type { AppliedEntry } from "../Cluster/Feed.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { type ProjectionFailure, ProjectionUnavailable } from "./Failure.ts"

export interface Position {
  readonly name: string
  /** The last entry that it reflects. */
  index: number
  /** Why it ended, if it has. */
  failure: ProjectionFailure | undefined
}

export const make = (name: string, index: number): Position => ({ name, index, failure: undefined })

/** The entry that it reads next. */
export const nextIndex = ({ index }: Position): number => index + 1

/** Checks that the entries read for it begin with `next`, the first entry after it. */
export const given = (position: Position, entries: ReadonlyArray<AppliedEntry>, next: number): void =>
  invariant((entries[0]?.index ?? next) === next, `${position.name} was given a gap after ${position.index}`)

/** The failure that ends it when the log cannot be read; undefined if it should try again. */
export const endOf = (position: Position, failed: LogFailed | LogCorrupt): ProjectionUnavailable | undefined => {
  const isOver = failed._tag === "LogCorrupt" || failed.reason === "compacted"
  const { name: projection } = position
  return isOver
    ? new ProjectionUnavailable({ projection, index: nextIndex(position), message: failed.message })
    : undefined
}

/** Ends it before the entry that it cannot pass. */
export const end = (position: Position, met: ProjectionFailure): void => {
  position.failure = met
  position.index = met.index - 1
}

/** Goes on at the entry before which it ended. */
export const resume = (position: Position): void => {
  position.failure = undefined
}
