/**
 * Where a follower of the log is: what it reads next, and what ended it. Pure, owned, mutable. Not the fiber that reads
 * (Following.ts), nor what it makes of the entries.
 */

import type { AppliedEntry } from "../Cluster/Feed.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { type ProjectionFailure, ProjectionUnavailable } from "./Failure.ts"

export interface Position {
  readonly name: string
  /** The last entry that it reflects. */
  index: number
  /** What ended it, if anything has. */
  failure: ProjectionFailure | undefined
}

export const make = (name: string, index: number): Position => ({ name, index, failure: undefined })

/** The entry that it reads next. */
export const nextIndex = ({ index }: Position): number => index + 1

/** It is given what was read for it, which begins with the next entry. */
export const given = (position: Position, entries: ReadonlyArray<AppliedEntry>): void => {
  const next = nextIndex(position)
  invariant((entries[0]?.index ?? next) === next, `${position.name} was given a gap after ${position.index}`)
}

/** What a log that cannot be read means for it: its end, or nothing, where it is to try again. */
export const endOf = (position: Position, failed: LogFailed | LogCorrupt): ProjectionUnavailable | undefined => {
  const isOver = failed._tag === "LogCorrupt" || failed.reason === "compacted"
  const { name: projection } = position
  return isOver
    ? new ProjectionUnavailable({ projection, index: nextIndex(position), message: failed.message })
    : undefined
}

/** It stays before the entry that it cannot pass. */
export const end = (position: Position, met: ProjectionFailure): void => {
  position.failure = met
  position.index = met.index - 1
}
