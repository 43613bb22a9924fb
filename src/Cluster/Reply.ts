/** The leader's reply to a forwarded request, as JSON, and the outcome that it tells. Forwarding.ts sends it. Pure. C18. */
import { Cause, Exit, Result, Schema } from "effect"
import { NotDone, NotDoneReason, UnknownOutcome } from "../Raft/node/Outcome.ts"

/** A reply. Members of other versions read it too. */
export type Reply<Answer> =
  | { readonly _tag: "Answered"; readonly answer: Answer }
  | { readonly _tag: "NotDone"; readonly reason: NotDone["reason"]; readonly message: string }
  | { readonly _tag: "Unknown"; readonly message: string }

/** The outcome of a request that was certainly not done. */
export const notDone = (reason: NotDone["reason"], message: string): Exit.Exit<never, NotDone> =>
  Exit.fail(new NotDone({ reason, message }))

/** The outcome of a request that may be done. */
export const unknown = (message: string): Exit.Exit<never, UnknownOutcome> => Exit.fail(new UnknownOutcome({ message }))

/** The reply that tells an outcome. A defect leaves it unknown. */
export const replyOf = <Answer>(exit: Exit.Exit<Answer, NotDone | UnknownOutcome>): Reply<Answer> => {
  if (Exit.isSuccess(exit)) return { _tag: "Answered", answer: exit.value }
  const failed = Cause.findError(exit.cause)
  if (Result.isFailure(failed)) return { _tag: "Unknown", message: "The leader met a defect" }
  const { _tag, message } = failed.success
  return _tag === "NotDone" ? { _tag, reason: failed.success.reason, message } : { _tag: "Unknown", message }
}

/**
 * The outcome that a peer's JSON tells. JSON that is no reply leaves it unknown: the peer may have another version, or
 * err. The answer itself is unchecked.
 */
export const outcomeIn = <Answer>(json: unknown): Exit.Exit<Answer, NotDone | UnknownOutcome> => {
  const reply = json as { readonly [name: string]: unknown } | null
  switch (reply?._tag) {
    case "Answered":
      return Exit.succeed(reply.answer as Answer)
    case "NotDone":
      return isReason(reply.reason) ? notDone(reply.reason, `${reply.message}`) : unknown(`${reply.message}`)
    case "Unknown":
      return unknown(`${reply.message}`)
    default:
      return unknown("Cannot read the answer of the leader: it is no reply")
  }
}

const isReason = Schema.is(NotDoneReason)
