/** The entries of a node's own log that are applied, in order, from any index on. A reader goes at its own pace. */
import { Effect, Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { LogCorrupt, LogFailed, LogStore } from "../EventStore/LogStore.ts"
import { invariant } from "../Invariant.ts"
import { decode, type Transaction } from "../Machine/Transaction.ts"
import * as Condition from "../Raft/node/Condition.ts"

export interface LocalFeed {
  /** The first entry that can be read. */
  readonly oldestIndex: () => number
  /** The last index that is applied; 0 before the first. */
  readonly appliedIndex: () => number
  /** Whether an index is a place in this log: every one is, since no restore keeps this log. */
  readonly isPlace: (index: number) => boolean
  /** Waits until `index` is applied, for ever if it never is. */
  readonly applied: (index: number) => Effect.Effect<void>
  /** Reads entries from `fromIndex` on, which must be applied. It fails as `compacted` if a snapshot replaced the first one. */
  readonly read: (range: {
    readonly fromIndex: number
    readonly maxBytes: number
  }) => Effect.Effect<
    ReadonlyArray<{ readonly index: number; readonly transaction: Transaction }>,
    LogFailed | LogCorrupt
  >
}

/** Makes the feed, and the function by which the node says that it has applied more. */
export const make = (
  store: LogStore["Service"],
  { appliedIndex, oldestIndex }: Pick<LocalFeed, "appliedIndex" | "oldestIndex">
): { readonly feed: LocalFeed; readonly advanced: () => void } => {
  const { changed, until } = Condition.make()
  return {
    advanced: changed,
    feed: {
      oldestIndex,
      appliedIndex,
      isPlace: () => true,
      applied: (index) => until(() => appliedIndex() >= index),
      read: (range) =>
        Effect.map(
          Effect.suspend(() => store.read({ ...range, toIndex: appliedIndex() })),
          (entries) => entries.map(decoded)
        )
    }
  }
}

const decoded = ({ index, payload }: LogEntry) => {
  const transaction = decode(payload)
  invariant(Result.isSuccess(transaction), `Cannot read entry ${index} of the node's own log, which is applied`)
  return { index, transaction: transaction.success }
}
