/** The answers of a simulated node to requests that it cannot serve, in the shell's words (Raft/node/Outcome.ts). */
import { Exit } from "effect"
import { NotDone, UnknownOutcome } from "../../Raft/node/Outcome.ts"

/** Certainly not done: nothing was proposed, and nobody confirmed a leader. */
export const noQuorum: Exit.Exit<never, NotDone> = Exit.fail(
  new NotDone({ reason: "no-quorum", message: "No quorum confirms a leader" })
)

/** The request may be done. */
export const unknownOutcome: Exit.Exit<never, UnknownOutcome> = Exit.fail(
  new UnknownOutcome({ message: "Not answered in time" })
)

/** The failure of an exit, if it has one. */
export const errorOf = <E>(exit: Exit.Exit<unknown, E>): E | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const reason = exit.cause.reasons.find((each) => each._tag === "Fail")
  return reason?._tag === "Fail" ? reason.error : undefined
}
