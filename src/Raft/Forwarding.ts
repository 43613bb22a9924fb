/**
 * Commands on their way to the leader and answers on their way back, over any transport. A forwarded command that
 * reached a socket and was not answered may or may not be done; one that never left is certainly not done.
 */
import { randomInt } from "node:crypto"
import { Effect } from "effect"
import type { Command } from "../Machine/Command.ts"
import type { NodeId } from "./Message.ts"
import { NotDone, UnknownOutcome } from "./Outcome.ts"
import type { PeerMessage } from "./PeerMessage.ts"
import type { Answered } from "./RaftNode.ts"
import type { CommandResult } from "./ReplicatedMachine.ts"
import type { Transport } from "./Transport.ts"

type Submit = (command: Command) => Effect.Effect<Answered<CommandResult>, NotDone | UnknownOutcome>

/** What became of a forwarded command, as the leader says it. */
type Reply =
  | ({ readonly _tag: "Answered" } & Answered<CommandResult>)
  | { readonly _tag: "NotDone"; readonly reason: NotDone["reason"]; readonly message: string }
  | { readonly _tag: "Unknown"; readonly message: string }

/** Commands forwarded and not yet answered, and commands of peers under way here; one more is refused. */
export const forwardedMaxCount = 4096

const tooMany: Reply = {
  _tag: "NotDone",
  reason: "overloaded",
  message: `Cannot write: ${forwardedMaxCount} forwarded commands wait already`
}

export interface Forwarding {
  readonly forward: (
    to: NodeId,
    command: Command,
    timeoutMs: number
  ) => Effect.Effect<Answered<CommandResult>, NotDone | UnknownOutcome>
  /** Answers a peer's command by `submit`, or hands a reply to whoever waits for it. */
  readonly receive: (from: NodeId, message: PeerMessage & { readonly _tag: "Forward" | "ForwardReply" }) => void
  /** What was under way to this peer is unknown from now on. */
  readonly peerDown: (peer: NodeId) => void
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encode = (value: Command | Reply): Uint8Array => encoder.encode(JSON.stringify(value))
/** A proven peer of an agreed protocol version wrote it; what a command asks for is validated by `decide`. */
const decode = <A extends Command | Reply>(body: Uint8Array): A => JSON.parse(decoder.decode(body))

export const make = (options: {
  readonly transport: Transport["Service"]
  readonly submit: Submit
  readonly fork: (effect: Effect.Effect<void>) => void
}): Forwarding => {
  const { transport } = options
  const waiting = new Map<number, { readonly to: NodeId; readonly settle: (reply: () => Reply) => void }>()
  // An answer to a former life of this node must not pass for one to this life: it may be on its way to it.
  let nextRequestId = randomInt(1, 2 ** 47)
  let underWayCount = 0

  const answer = (from: NodeId, requestId: number, body: Uint8Array) => {
    const reply = (value: Reply): void => {
      transport.send(from, "bulk", { _tag: "ForwardReply", requestId, body: encode(value) })
    }
    if (underWayCount >= forwardedMaxCount) return reply(tooMany)
    underWayCount += 1
    const answered = Effect.suspend(() => options.submit(decode<Command>(body))).pipe(
      Effect.match({
        onSuccess: (done): Reply => ({ _tag: "Answered", ...done }),
        onFailure: (error): Reply =>
          error._tag === "NotDone"
            ? { _tag: "NotDone", reason: error.reason, message: error.message }
            : { _tag: "Unknown", message: error.message }
      }),
      Effect.catchCause((cause) =>
        Effect.as(Effect.logError(`Cannot answer a command of ${from}`, cause), {
          _tag: "Unknown",
          message: "The leader met a defect"
        } satisfies Reply)
      ),
      Effect.map(reply),
      Effect.ensuring(
        Effect.sync(() => {
          underWayCount -= 1
        })
      )
    )
    options.fork(answered)
  }

  return {
    forward: (to, command, timeoutMs) =>
      Effect.callback<Answered<CommandResult>, NotDone | UnknownOutcome>((resume) => {
        const requestId = nextRequestId++
        const settle = (reply: () => Reply): void => {
          waiting.delete(requestId)
          // Read by whoever waits: what cannot be read is that request's defect, and not the link's.
          resume(Effect.suspend(() => outcomeOf(reply())))
        }
        if (waiting.size >= forwardedMaxCount) return settle(() => tooMany)
        if (!transport.send(to, "bulk", { _tag: "Forward", requestId, body: encode(command) })) {
          const message = `Cannot forward: ${to} is not reachable`
          return settle(() => ({ _tag: "NotDone", reason: "no-quorum", message }))
        }
        waiting.set(requestId, { to, settle })
        return Effect.sync(() => waiting.delete(requestId))
      }).pipe(
        Effect.timeoutOrElse({
          duration: timeoutMs,
          orElse: () => Effect.fail(new UnknownOutcome({ message: `${to} did not answer in ${timeoutMs} ms` }))
        })
      ),
    receive: (from, message) => {
      if (message._tag === "Forward") return answer(from, message.requestId, message.body)
      const request = waiting.get(message.requestId)
      if (request?.to === from) request.settle(() => decode<Reply>(message.body))
    },
    peerDown: (peer) => {
      for (const { to, settle } of [...waiting.values()]) {
        const message = `The link to ${peer} broke before it answered`
        if (to === peer) settle(() => ({ _tag: "Unknown", message }))
      }
    }
  }
}

const outcomeOf = (reply: Reply): Effect.Effect<Answered<CommandResult>, NotDone | UnknownOutcome> => {
  switch (reply._tag) {
    case "Answered":
      return Effect.succeed({ index: reply.index, answer: reply.answer })
    case "NotDone":
      return Effect.fail(new NotDone({ reason: reply.reason, message: reply.message }))
    case "Unknown":
      return Effect.fail(new UnknownOutcome({ message: reply.message }))
  }
}
