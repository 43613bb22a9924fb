/**
 * Sends requests to the leader and brings the answers back, over any transport: those of one turn together. A forwarded
 * request that reached a socket and was not answered may be done or not. One that never left is certainly not done.
 */
import { Cause, Effect, Exit, Result } from "effect"
import type { NodeId } from "../Raft/core/Message.ts"
import * as Bell from "../Raft/node/Bell.ts"
import { InFlight } from "../Raft/node/InFlight.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Forget, type Settle, settleNow } from "../Raft/node/Settle.ts"
import type { Forward, ForwardReply } from "../Raft/peers/PeerMessage.ts"
import type { Transport } from "../Raft/peers/Transport.ts"
import { forwardBodyMaxBytes } from "../Raft/peers/Wire.ts"
import * as ForwardQueue from "./ForwardQueue.ts"
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
  /** How many requests wait for an answer, of {@link forwardedMaxCount}. */
  readonly waitingCount: () => number
}

/** A request that waits for the reply of `to`. */
interface Waiting<Answer> {
  readonly to: NodeId
  /** Its number among the timeouts. */
  readonly timeout: number
  readonly settle: Settle<Answer, Failure>
}

const decoder = new TextDecoder()

/** The list in a body, one element for each request; or what is wrong with it. The elements are unchecked. */
const listIn = ({ body, requestIds }: Forward | ForwardReply): Result.Result<ReadonlyArray<unknown>, string> => {
  const json = Result.try({ try: (): unknown => JSON.parse(decoder.decode(body)), catch: () => "it is not JSON" })
  if (Result.isFailure(json)) return Result.fail(json.failure)
  return Array.isArray(json.success) && json.success.length === requestIds.length
    ? Result.succeed(json.success)
    : Result.fail(`it is no list of ${requestIds.length}`)
}

/** A peer sent an order that this node does not know: the peer has another version, or errs. Nothing of it is done. */
const unreadable = notDone("upgrade-required", "The leader does not know such a request")

export const make = Effect.fnUntraced(function* <Request, Answer>(options: {
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
}): Effect.fn.Return<Forwarding<Request, Answer>> {
  const { fork, life, timeouts, transport } = options
  const waiting = new InFlight<Waiting<Answer>>()
  let nextRequestId = 1
  let underWayCount = 0

  /** Takes a request from those that wait, once. */
  const take = (requestId: number): Waiting<Answer> | undefined => {
    const request = waiting.get(requestId)
    if (request === undefined) return undefined
    waiting.delete(requestId)
    timeouts.remove(request.timeout)
    return request
  }

  const settleUnknown = (requestId: number, message: string): void => take(requestId)?.settle(unknown(message))

  /** Tells these requests that their outcome is unknown. */
  const settleAllUnknown = (message: string, isMeant: (to: NodeId, requestId: number) => boolean): void => {
    for (const [requestId, { to }] of waiting.entries()) {
      if (isMeant(to, requestId)) settleUnknown(requestId, message)
    }
  }

  // Each request of a client comes in a task of its own, so requests wait for the task behind those that are due.
  const ring = yield* Bell.make(() => requests.sendAll())
  const requests = ForwardQueue.make({
    ring,
    isWanted: ({ requestId }) => waiting.has(requestId),
    send: (to, together) => {
      if (transport.send(to, "bulk", { _tag: "Forward", ...together })) return
      const unreachable = notDone("no-quorum", `Cannot forward: ${to} is not reachable`)
      for (const requestId of together.requestIds) take(requestId)?.settle(unreachable)
    }
  })

  // A turn of the node settles its requests one after another, so the answers leave together right behind it.
  const answers = ForwardQueue.make({
    ring: () => queueMicrotask(() => answers.sendAll()),
    isWanted: () => true,
    send: (to, together) => void transport.send(to, "bulk", { _tag: "ForwardReply", ...together })
  })

  const answer = (from: NodeId, name: { readonly life: number; readonly requestId: number }, json: unknown): void => {
    const reply: Settle<Answer, Failure> = (exit) => {
      const whole = textOf(replyOf(exit))
      // A frame that is too large would break the link, and lose every message on its way over it.
      answers.add(from, { ...name, ...(whole.bytes > ForwardQueue.textMaxBytes ? textOf(replyOf(untold)) : whole) })
    }
    if (underWayCount >= forwardedMaxCount) {
      reply(tooMany)
      return
    }
    const request = options.read(json)
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

  /** Answers all requests of a frame, each by itself. */
  const answerAll = (from: NodeId, message: Forward): void => {
    const list = listIn(message)
    for (const [at, requestId] of message.requestIds.entries()) {
      answer(from, { life: message.life, requestId }, Result.isSuccess(list) ? list.success[at] : undefined)
    }
  }

  const receiveAnswers = (from: NodeId, message: ForwardReply): void => {
    if (message.life !== life) return
    const list = listIn(message)
    for (const [at, requestId] of message.requestIds.entries()) {
      if (waiting.get(requestId)?.to !== from) continue
      take(requestId)?.settle(
        Result.isSuccess(list)
          ? outcomeIn<Answer>(list.success[at])
          : unknown(`Cannot read the answer of the leader: ${list.failure}`)
      )
    }
  }

  return {
    forward: (to, request, timeoutMs, settle) => {
      if (waiting.size >= forwardedMaxCount) return settleNow(settle, tooMany)
      const { bytes, text } = textOf(request)
      if (bytes > ForwardQueue.textMaxBytes) return settleNow(settle, tooLong)
      const requestId = nextRequestId++
      const expire = () => settleUnknown(requestId, `${to} did not answer in ${timeoutMs} ms`)
      waiting.set(requestId, { to, timeout: timeouts.add(timeouts.nowMs() + timeoutMs, expire), settle })
      requests.add(to, { life, requestId, text, bytes })
      return () => void take(requestId)
    },
    receive: (from, message) => (message._tag === "Forward" ? answerAll(from, message) : receiveAnswers(from, message)),
    peerDown: (peer) => {
      // Requests that have not left yet are certainly not done: without a link, sending says so.
      requests.sendAll()
      settleAllUnknown(`The link to ${peer} broke before it answered`, (to) => to === peer)
    },
    leaderChanged: (leader) => {
      const meant = new Set(waiting.entries().flatMap(([requestId, { to }]) => (to === leader ? [] : [requestId])))
      if (meant.size === 0) return
      timeouts.add(timeouts.nowMs() + formerLeaderMs, () =>
        settleAllUnknown(`${leader} leads now`, (_, requestId) => meant.has(requestId))
      )
    },
    giveUp: () => settleAllUnknown("This node stops before the leader answered", () => true),
    waitingCount: () => waiting.size
  }
})

const textOf = (value: unknown) => {
  const text = JSON.stringify(value)
  return { text, bytes: Buffer.byteLength(text) }
}
