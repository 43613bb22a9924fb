/** What a client is told of its command, by whichever log decided it. Pure JSON data: a peer carries it as it is. */
import type { Answer, Decision } from "./decide.ts"
import type { Rejection } from "./Rejection.ts"

/**
 * What a command did, or why it was not done. `replayedIndex` is there when it was done or refused before, and is the
 * entry that remembers so: this attempt is a copy with the same idempotency key.
 */
export type CommandResult = { readonly replayedIndex?: number } & (
  | { readonly _tag: "Accepted"; readonly answer: Answer }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }
)

/** The result of a decision, true once what it rests on is durable. */
export const resultOf = (decision: Decision): CommandResult => {
  const replayed =
    decision._tag === "Accepted" || decision.replayedIndex === undefined
      ? {}
      : { replayedIndex: decision.replayedIndex }
  return decision._tag === "Rejected"
    ? { _tag: "Rejected", rejection: decision.rejection, ...replayed }
    : { _tag: "Accepted", answer: decision.answer, ...replayed }
}
