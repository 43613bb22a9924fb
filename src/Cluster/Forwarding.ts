/**
 * Sends requests to the leader and brings the answers back, over any transport. A forwarded request that reached a
 * socket and was not answered may be done or not. One that never left is certainly not done.
 */
import { Cause, Effect, Exit, Result } from "effect"
import type { NodeId } from "../Raft/core/Message.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Forget, type Settle, settleNow } from "../Raft/node/Settle.ts"
import type { Forward, ForwardReply } from "../Raft/peers/PeerMessage.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { forwardBodyMaxBytes } from "../Raft/peers/Wire.ts"
import { notDone, outcomeIn, replyOf, unknown } from "./Reply.ts"
import type { Timeouts } from "./Timeouts.ts"

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

const tooMany = notDone("overloaded", `Cannot write: ${forwardedMaxCount} forwarded requests wait already`)

const tooLong = notDone(
  "overloaded",
  `Cannot write: a request of more than ${forwardBodyMaxBytes} bytes is not forwarded`
)

const untold = unknown("The answer of the leader is too long to be sent")

type Failure = NotDone | UnknownOutcome

/** `Request` and `Answer` are JSON data. */
export interface Forwarding<Request, Answer> {
  readonly forward: (to: NodeId, request: Request, timeoutMs: number, settle: Settle<Answer, Failure>) => Forget
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

/** A request that waits for the reply of `to`. */
interface Waiting<Answer> {
  readonly to: NodeId
  readonly expire: () => void
  readonly settle: Settle<Answer, Failure>
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encode = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))
const decode = (body: Uint8Array): Result.Result<unknown, string> =>
  Result.try({ try: (): unknown => JSON.parse(decoder.decode(body)), catch: () => "it is not JSON" })

/** A peer sent an order that this node does not know: the peer has another version, or errs. Nothing of it is done. */
const unreadable = notDone("upgrade-required", "The leader does not know such a request")

export const make = <Request, Answer>(options: {
  readonly transport: Transport["Service"]
  /**
   * The life of this node. It is part of a request's name, so that a late answer to a former life matches no request of
   * this one.
   */
  readonly life: number
  /** Reads a request from a peer's JSON, or says what is wrong with it. */
  readonly read: (json: unknown) => Result.Result<Request, string>
  readonly submit: (request: Request, settle: Settle<Answer, Failure>) => void
  readonly timeouts: Timeouts
  readonly fork: (effect: Effect.Effect<void>) => void
}): Forwarding<Request, Answer> => {
  const { fork, life, timeouts, transport } = options
  const waiting = new Map<number, Waiting<Answer>>()
  let nextRequestId = 1
  let underWayCount = 0

  /** Takes a request from those that wait, once. */
  const take = (requestId: number): Waiting<Answer> | undefined => {
    const request = waiting.get(requestId)
    if (request === undefined) return undefined
    waiting.delete(requestId)
    timeouts.remove(request.expire)
    return request
  }

  const settleUnknown = (requestId: number, message: string): void => take(requestId)?.settle(unknown(message))

  /** Tells these requests that their outcome is unknown. */
  const settleAllUnknown = (message: string, isMeant: (to: NodeId, requestId: number) => boolean): void => {
    for (const [requestId, { to }] of [...waiting]) {
      if (isMeant(to, requestId)) settleUnknown(requestId, message)
    }
  }

  const answer = (from: NodeId, { body, life, requestId }: Forward): void => {
    const reply: Settle<Answer, Failure> = (exit) => {
      const whole = encode(replyOf(exit))
      // A frame that is too large would break the link, and lose every message on its way over it.
      const body = whole.length > forwardBodyMaxBytes ? encode(replyOf(untold)) : whole
      transport.send(from, "bulk", { _tag: "ForwardReply", life, requestId, body })
    }
    if (underWayCount >= forwardedMaxCount) {
      reply(tooMany)
      return
    }
    const request = Result.flatMap(decode(body), options.read)
    if (Result.isFailure(request)) {
      fork(Effect.logWarning(`Cannot read a request of ${from}: ${request.failure}`))
      reply(unreadable)
      return
    }
    underWayCount += 1
    options.submit(request.success, (exit) => {
      underWayCount -= 1
      const defect = Exit.isFailure(exit) && !Cause.hasFails(exit.cause)
      if (defect) fork(Effect.logError(`Cannot answer a request of ${from}`, exit.cause))
      reply(exit)
    })
  }

  return {
    forward: (to, request, timeoutMs, settle) => {
      if (waiting.size >= forwardedMaxCount) return settleNow(settle, tooMany)
      const body = encode(request)
      if (body.length > forwardBodyMaxBytes) return settleNow(settle, tooLong)
      const requestId = nextRequestId++
      const expire = () => settleUnknown(requestId, `${to} did not answer in ${timeoutMs} ms`)
      // Register before sending: on a network in memory the answer may arrive before `send` returns.
      waiting.set(requestId, { to, expire, settle })
      timeouts.add(timeouts.nowMs() + timeoutMs, expire)
      if (!transport.send(to, "bulk", { _tag: "Forward", life, requestId, body })) {
        const message = `Cannot forward: ${to} is not reachable`
        take(requestId)?.settle(notDone("no-quorum", message))
      }
      return () => void take(requestId)
    },
    receive: (from, message) => {
      if (message._tag === "Forward") return answer(from, message)
      const request = message.life === life ? waiting.get(message.requestId) : undefined
      if (request?.to === from) take(message.requestId)?.settle(outcomeInBody(message.body))
    },
    peerDown: (peer) => settleAllUnknown(`The link to ${peer} broke before it answered`, (to) => to === peer),
    leaderChanged: (leader) => {
      const meant = new Set([...waiting].flatMap(([requestId, { to }]) => (to === leader ? [] : [requestId])))
      if (meant.size === 0) return
      timeouts.add(timeouts.nowMs() + formerLeaderMs, () =>
        settleAllUnknown(`${leader} leads now`, (_, requestId) => meant.has(requestId))
      )
    },
    giveUp: () => settleAllUnknown("This node stops before the leader answered", () => true)
  }
}

const outcomeInBody = <Answer>(body: Uint8Array): Exit.Exit<Answer, Failure> =>
  Result.match(decode(body), {
    onFailure: (what) => unknown(`Cannot read the answer of the leader: ${what}`),
    onSuccess: outcomeIn<Answer>
  })
