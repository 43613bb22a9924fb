/**
 * Sends requests to the leader and brings the answers back, over any transport. A forwarded request that reached a
 * socket and was not answered may be done or not. One that never left is certainly not done.
 */
import { Effect, Result } from "effect"
import type { NodeId } from "../Raft/core/Message.ts"
import { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import type { Forward, ForwardReply } from "../Raft/peers/PeerMessage.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { forwardBodyMaxBytes } from "../Raft/peers/Wire.ts"

/** The leader's reply to a forwarded request. */
type Reply<Answer> =
  | { readonly _tag: "Answered"; readonly answer: Answer }
  | { readonly _tag: "NotDone"; readonly reason: NotDone["reason"]; readonly message: string }
  | { readonly _tag: "Unknown"; readonly message: string }

/**
 * The limit on forwarded requests without an answer, and on requests of peers that are under way here. One more is
 * refused.
 */
export const forwardedMaxCount = 4096

/**
 * How long an answer of a former leader may take. After its hand-over it learns from its successor what is committed,
 * and answers a moment later.
 */
const formerLeaderMs = 200

const tooMany: Reply<never> = {
  _tag: "NotDone",
  reason: "overloaded",
  message: `Cannot write: ${forwardedMaxCount} forwarded requests wait already`
}

const tooLong: Reply<never> = {
  _tag: "NotDone",
  reason: "overloaded",
  message: `Cannot write: a request of more than ${forwardBodyMaxBytes} bytes is not forwarded`
}

const untold: Reply<never> = { _tag: "Unknown", message: "The answer of the leader is too long to be sent" }

/** `Request` and `Answer` are JSON data. */
export interface Forwarding<Request, Answer> {
  readonly forward: (to: NodeId, request: Request, timeoutMs: number) => Effect.Effect<Answer, NotDone | UnknownOutcome>
  /** Answers a peer's request by `submit`, or passes a reply to the request that waits for it. */
  readonly receive: (from: NodeId, message: Forward | ForwardReply) => void
  /** From now on the outcome of requests under way to this peer is unknown. */
  readonly peerDown: (peer: NodeId) => void
  /**
   * A new leader was elected. The outcome of requests under way to another node is unknown, unless that node answers at
   * once. The former leader may live and have committed them, or it may hang for longer than a request waits.
   */
  readonly leaderChanged: (leader: NodeId) => void
  /** This node is about to stop. The outcome of all requests under way is unknown. */
  readonly giveUp: () => void
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encode = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))
const decode = (body: Uint8Array): Result.Result<unknown, string> =>
  Result.try({ try: (): unknown => JSON.parse(decoder.decode(body)), catch: () => "it is not JSON" })

/** A peer sent an order that this node does not know: the peer has another version, or errs. Nothing of it is done. */
const unreadable = (from: NodeId, what: string): Effect.Effect<never, NotDone> =>
  Effect.andThen(
    Effect.logWarning(`Cannot read a request of ${from}: ${what}`),
    Effect.fail(new NotDone({ reason: "upgrade-required", message: "The leader does not know such a request" }))
  )

export const make = <Request, Answer>(options: {
  readonly transport: Transport["Service"]
  /**
   * The life of this node. It is part of a request's name, so that a late answer to a former life matches no request of
   * this one.
   */
  readonly life: number
  /** Reads a request from a peer's JSON, or says what is wrong with it. */
  readonly read: (json: unknown) => Result.Result<Request, string>
  readonly submit: (request: Request) => Effect.Effect<Answer, NotDone | UnknownOutcome>
  readonly fork: (effect: Effect.Effect<void>) => void
}): Forwarding<Request, Answer> => {
  const { life, transport } = options
  const waiting = new Map<number, { readonly to: NodeId; readonly settle: (reply: () => Reply<Answer>) => void }>()
  let nextRequestId = 1
  let underWayCount = 0

  const answer = (from: NodeId, { body, life, requestId }: Forward) => {
    const reply = (value: Reply<Answer>): void => {
      const whole = encode(value)
      // A frame that is too large would break the link, and lose every message on its way over it.
      const body = whole.length > forwardBodyMaxBytes ? encode(untold) : whole
      transport.send(from, "bulk", { _tag: "ForwardReply", life, requestId, body })
    }
    if (underWayCount >= forwardedMaxCount) return reply(tooMany)
    underWayCount += 1
    const answered = Effect.suspend(() => {
      const request = Result.flatMap(decode(body), options.read)
      return Result.isFailure(request) ? unreadable(from, request.failure) : options.submit(request.success)
    }).pipe(
      Effect.match({
        onSuccess: (answer): Reply<Answer> => ({ _tag: "Answered", answer }),
        onFailure: (error): Reply<Answer> =>
          error._tag === "NotDone"
            ? { _tag: "NotDone", reason: error.reason, message: error.message }
            : { _tag: "Unknown", message: error.message }
      }),
      Effect.catchCause((cause) =>
        Effect.as(Effect.logError(`Cannot answer a request of ${from}`, cause), {
          _tag: "Unknown",
          message: "The leader met a defect"
        } satisfies Reply<Answer>)
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

  /** Tells these requests that their outcome is unknown. */
  const settleUnknown = (message: string, isMeant: (to: NodeId, requestId: number) => boolean): void => {
    for (const [requestId, { to, settle }] of [...waiting]) {
      if (isMeant(to, requestId)) settle(() => ({ _tag: "Unknown", message }))
    }
  }

  return {
    forward: (to, request, timeoutMs) =>
      Effect.callback<Answer, NotDone | UnknownOutcome>((resume) => {
        const requestId = nextRequestId++
        const settle = (reply: () => Reply<Answer>): void => {
          waiting.delete(requestId)
          // The waiting request decodes the reply, so that a bad reply fails that request and not the link.
          resume(Effect.suspend(() => outcomeOf(reply())))
        }
        if (waiting.size >= forwardedMaxCount) return settle(() => tooMany)
        const body = encode(request)
        if (body.length > forwardBodyMaxBytes) return settle(() => tooLong)
        // Register before sending: on a network in memory the answer may arrive before `send` returns.
        waiting.set(requestId, { to, settle })
        if (!transport.send(to, "bulk", { _tag: "Forward", life, requestId, body })) {
          const message = `Cannot forward: ${to} is not reachable`
          return settle(() => ({ _tag: "NotDone", reason: "no-quorum", message }))
        }
        return Effect.sync(() => waiting.delete(requestId))
      }).pipe(
        Effect.timeoutOrElse({
          duration: timeoutMs,
          orElse: () => Effect.fail(new UnknownOutcome({ message: `${to} did not answer in ${timeoutMs} ms` }))
        })
      ),
    receive: (from, message) => {
      if (message._tag === "Forward") return answer(from, message)
      const request = message.life === life ? waiting.get(message.requestId) : undefined
      if (request?.to === from) request.settle(() => replyIn(message.body))
    },
    peerDown: (peer) => settleUnknown(`The link to ${peer} broke before it answered`, (to) => to === peer),
    leaderChanged: (leader) => {
      const meant = new Set([...waiting].flatMap(([requestId, { to }]) => (to === leader ? [] : [requestId])))
      if (meant.size === 0) return
      const settle = Effect.sync(() => settleUnknown(`${leader} leads now`, (_, requestId) => meant.has(requestId)))
      options.fork(Effect.delay(settle, formerLeaderMs))
    },
    giveUp: () => settleUnknown("This node stops before the leader answered", () => true)
  }
}

/** Reads the leader's reply. Bytes that are none leave the outcome unknown. */
const replyIn = <Answer>(body: Uint8Array): Reply<Answer> =>
  Result.match(decode(body), {
    onFailure: (what) => ({ _tag: "Unknown", message: `Cannot read the answer of the leader: ${what}` }),
    onSuccess: (json) => json as Reply<Answer>
  })

const outcomeOf = <Answer>(reply: Reply<Answer>): Effect.Effect<Answer, NotDone | UnknownOutcome> => {
  switch (reply._tag) {
    case "Answered":
      return Effect.succeed(reply.answer)
    case "NotDone":
      return Effect.fail(new NotDone({ reason: reply.reason, message: reply.message }))
    case "Unknown":
      return Effect.fail(new UnknownOutcome({ message: reply.message }))
  }
}
