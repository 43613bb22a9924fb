/** The decision on a command: an entry to append, an answer without one, or a rejection. Pure data. D2. */
import type { Answer } from "./Answer.ts"
import type { Overlay } from "./Overlay.ts"
import type { Rejection } from "./Rejection.ts"
import type { Entry } from "./Transaction.ts"

/**
 * The decision. `Unchanged`, and `Rejected` without an entry, are answered after a read-index round that begins after
 * the decision. `replayedIndex` marks a copy of a keyed request, and names the entry with its outcome.
 */
export type Decision =
  | ({
      readonly _tag: "Accepted"
      readonly answer: Answer
      /** Has the changes of the events already, if operations were decided on it one after another. */
      readonly overlay?: Overlay
    } & Entry)
  | { readonly _tag: "Unchanged"; readonly answer: Answer; readonly replayedIndex?: number }
  /** A copy of a keyed request whose outcome only the entry at that index holds (Recall.ts). */
  | { readonly _tag: "Logged"; readonly replayedIndex: number }
  /** With an idempotency key a rejection is an entry, so that a delayed copy is not done later. */
  | {
      readonly _tag: "Rejected"
      readonly rejection: Rejection
      readonly entry: Entry | undefined
      readonly replayedIndex?: number
    }
