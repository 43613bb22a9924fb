/**
 * The lane in which an empty node asks a member to take it in: one handshake, which proves both sides, and one answer.
 * Nobody can send the handshake again, since each side draws a nonce. Cluster/Joining.ts decides. D8.
 */
import { Effect } from "effect"
import type { LinkClosed } from "./FrameStream.ts"
import { type Greeted, refusedBy, stop } from "./Greeting.ts"
import type { Hello } from "./Handshake.ts"
import { decodeJoinReply, type JoinReply, joinReplyFrame, joinReplyMaxBytes } from "./JoinReply.ts"
import { linkTags } from "./WireFrame.ts"

/** How long a member may take to answer. A change of the members takes less. */
export const joinTimeoutMs = 5_000

/** A proven node asks to be taken in. Only the first answer counts. */
export interface JoinAsked {
  readonly _tag: "JoinAsked"
  readonly hello: Hello
  readonly answer: (reply: JoinReply) => void
}

const passing = (message: string): JoinReply => ({ _tag: "NotJoined", isFinal: false, message })

/** Answers a node that joins, and ends the connection. `tell` says false if this node does not run. */
export const answerJoin = Effect.fnUntraced(function* (
  { frames, theirs }: Greeted,
  tell: (asked: JoinAsked) => boolean
) {
  const decided = Effect.callback<JoinReply>((resume) => {
    const isTold = tell({ _tag: "JoinAsked", hello: theirs, answer: (reply) => resume(Effect.succeed(reply)) })
    if (!isTold) resume(Effect.succeed(passing("it has just started")))
  }).pipe(
    Effect.timeoutOrElse({
      duration: joinTimeoutMs,
      orElse: () => Effect.succeed(passing(`its cluster did not decide within ${joinTimeoutMs / 1000} s`))
    })
  )
  const reply = yield* Effect.raceFirst(decided, frames.ended)
  frames.send(joinReplyFrame(reply))
  return yield* stop("It answered a node that joins")
})

/** Reads the answer of a member that has proved itself. */
export const readReply = Effect.fnUntraced(function* ({ frames }: Greeted): Effect.fn.Return<JoinReply, LinkClosed> {
  const frame = yield* frames.next(joinReplyMaxBytes)
  if (frame[0] === linkTags.refused) return yield* refusedBy(frame)
  const reply = decodeJoinReply(frame)
  if (reply._tag === "Malformed") return yield* stop(`Bad frame: ${reply.field} at ${reply.offset}: ${reply.found}`)
  return reply
})
