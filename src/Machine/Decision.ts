/** The decision on a command: its result, and the entry to append, if any. Pure data. D2. */
import type { CommandResult, Logged } from "./CommandResult.ts"
import type { Overlay } from "./Overlay.ts"
import type { Entry } from "./Transaction.ts"

/** The decision. Only its result leaves the log: the queue adds an index, and passes both on (Raft/node/Answered.ts). */
export interface Decision {
  readonly result: CommandResult | Logged
  /**
   * The entry to append. Without one nothing changes, and the result is told after a read-index round that begins after
   * the decision. A rejection under an idempotency key is an entry too, so that a delayed copy is not done later.
   */
  readonly entry: Entry | undefined
  /** Has the changes of the events already, if operations were decided on it one after another. */
  readonly overlay?: Overlay
}
