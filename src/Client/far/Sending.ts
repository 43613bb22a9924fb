/**
 * Sends a request to one node after another until its answer is final or the time is over. It sends a change again with
 * the same idempotency key, so that it is done at most once even if nodes die, and never calls a change refused that may
 * be done. docs/http.md, "Problems".
 */
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Random from "effect/Random"
import { indexHeader } from "../../Http/IndexHeader.ts"
import type { Problem } from "../../Problem.ts"
import { monotonicMs } from "../../Raft/node/MonotonicTime.ts"
import { UnknownOutcome } from "../../Raft/node/Outcome.ts"
import { NoAnswer } from "../Failure.ts"
import { checkKey } from "../Id.ts"
import { isNotServed } from "./Answer.ts"
import { type Answered, type Asked, bodyOf, problemOf, requestOf } from "./Asked.ts"
import type { Reached } from "./EventReader.ts"
import * as MintedKey from "./MintedKey.ts"

/** The nodes of a cluster, and how long requests may take. */
export interface ClientOptions {
  /**
   * The URLs of nodes of the cluster, such as `http://127.0.0.1:8081`. If their API has a prefix, add it:
   * `http://127.0.0.1:8081/v1`. The client stays with one node while it answers well.
   */
  readonly nodes: readonly [string, ...ReadonlyArray<string>]
  /** How long to wait for a node before asking another, in ms; 5,000 by default. A node answers within about 2,500. */
  readonly attemptTimeoutMs?: number
  /** How long to try before giving up, in ms; 30,000 by default. */
  readonly timeoutMs?: number
}

const attemptTimeoutDefaultMs = 5_000
const timeoutDefaultMs = 30_000

/** How often a change whose key was too old is sent with another key. */
const mintedAgainMaxCount = 2

/** The first and the longest pause after all nodes have failed. */
const pauseMinMs = 50
const pauseMaxMs = 1_000

/** The requests of one client. */
export interface Sending {
  /** Sends a read, or another request that may be repeated, as often as needed. */
  readonly ask: (asked: Asked) => Effect.Effect<Answered, Problem | NoAnswer>
  /** Sends a change with an idempotency key, a new one if none is given. It is done at most once. */
  readonly change: (asked: Asked, key: string | undefined) => Effect.Effect<Answered, Problem | UnknownOutcome>
  /** The highest index that an answer to this client has reflected. */
  readonly seenIndex: () => number
  /** An event of a stream has reflected this index. */
  readonly saw: (index: number) => void
  /** The nodes, for streams of events. */
  readonly reached: Reached
}

/** The result of an attempt. After `NoResponse` the request may be done or not. */
type Attempt =
  | { readonly _tag: "Answered"; readonly answered: Answered }
  | {
      readonly _tag: "Refused"
      readonly problem: Problem
      readonly isReplayed: boolean
      readonly mayPass: boolean
      /** The index of the log that the answer reflects; undefined if it says none. */
      readonly index: number | undefined
    }
  | { readonly _tag: "NoResponse"; readonly why: string }

/** Judges attempts one after another. Returns the failure, or undefined to try again. */
interface Judge<E> {
  readonly judge: (
    attempt: Exclude<Attempt, { readonly _tag: "Answered" }>,
    /** Whether the client has asked each node at least once. */
    isEachAsked: boolean
  ) => E | undefined
  /** The failure when the time is over. */
  readonly timedOut: () => E
}

/** Makes the sender over this HTTP client. */
export const make = (http: HttpClient.HttpClient, options: ClientOptions): Sending => {
  const { attemptTimeoutMs = attemptTimeoutDefaultMs, nodes, timeoutMs = timeoutDefaultMs } = options
  let preferred = 0
  let seenIndex = 0

  const attempt = (node: string, asked: Asked, withinMs: number): Effect.Effect<Attempt> =>
    http.execute(requestOf(node, asked)).pipe(
      Effect.flatMap(({ headers, status, text }) => Effect.map(text, (body) => ({ status, headers, body }))),
      Effect.timeout(withinMs),
      Effect.map(({ body, headers, status }): Attempt => {
        const answered = { status, headers, body: bodyOf(body) }
        seenIndex = Math.max(seenIndex, indexOf(answered) ?? 0)
        return attemptOf(node, answered)
      }),
      Effect.catch(({ message }) => Effect.succeed<Attempt>({ _tag: "NoResponse", why: `${node}: ${message}` }))
    )

  const untilFinal = Effect.fnUntraced(function* <E>(
    asked: Asked,
    { judge, timedOut }: Judge<E>
  ): Effect.fn.Return<Answered, E> {
    const askable = asked.isOfOneNode === true ? 1 : nodes.length
    const endMs = (yield* monotonicMs) + timeoutMs
    for (let count = 1; ; count++) {
      const at = asked.isOfOneNode === true ? 0 : preferred
      const leftMs = Math.max(1, endMs - (yield* monotonicMs))
      const met = yield* attempt(nodes[at]!, asked, Math.min(attemptTimeoutMs, leftMs))
      if (met._tag === "Answered") return met.answered
      const failure = judge(met, count >= askable)
      if (failure !== undefined) return yield* Effect.fail(failure)
      // If several requests are under way, only the first that fails switches to another node.
      if (preferred === at) preferred = (at + 1) % nodes.length
      if (count % askable === 0) yield* pause(count / askable)
      if ((yield* monotonicMs) >= endMs) return yield* Effect.fail(timedOut())
    }
  })

  const changeUnder = (asked: Asked, key: string, isOwn: boolean) =>
    untilFinal(
      { ...asked, headers: { ...asked.headers, "idempotency-key": key } },
      judgeChange(nodes.length, key, isOwn)
    )

  /** Makes a key with a date. If the cluster has forgotten so much since that date, makes one with a later date. */
  const changeOnce = (
    asked: Asked,
    afterIndex: number,
    againCount: number
  ): Effect.Effect<Answered, Problem | UnknownOutcome> =>
    Effect.flatMap(MintedKey.mint(asked, afterIndex), (key) =>
      Effect.catchTag(changeUnder(asked, key, true), "Outdated", ({ index, problem }) =>
        index === undefined || againCount === 0 ? Effect.fail(problem) : changeOnce(asked, index, againCount - 1)
      )
    )

  return {
    ask: (asked) => untilFinal(asked, judgeAsked()),
    change: (asked, given) =>
      Effect.suspend(() =>
        given === undefined
          ? changeOnce(asked, seenIndex, mintedAgainMaxCount)
          : Effect.andThen(
              checkKey(given),
              Effect.catchTag(changeUnder(asked, given, false), "Outdated", ({ problem }) => Effect.fail(problem))
            )
      ),
    seenIndex: () => seenIndex,
    saw: (index) => {
      seenIndex = Math.max(seenIndex, index)
    },
    reached: { http, nodes, attemptTimeoutMs, timeoutMs, pause }
  }
}

/** Pauses after a round in which all nodes have failed. */
const pause = Effect.fnUntraced(function* (round: number) {
  const pauseMs = Math.min(pauseMaxMs, pauseMinMs * 2 ** (round - 1))
  yield* Effect.sleep(pauseMs * (0.5 + (yield* Random.next) / 2))
})

/** The index that an answer reflects. */
const indexOf = ({ headers }: Pick<Answered, "headers">): number | undefined => {
  const index = Number(headers[indexHeader] ?? Number.NaN)
  return Number.isSafeInteger(index) ? index : undefined
}

const attemptOf = (node: string, answered: Answered): Attempt => {
  const { headers, status } = answered
  const problem = problemOf(answered)
  // A proxy in front of a node may answer too: with a login page, or that the node is down.
  const isOfNode = headers["lithair-node"] !== undefined
  if (isOfNode && status >= 200 && status < 300) return { _tag: "Answered", answered }
  if (problem === undefined)
    return { _tag: "NoResponse", why: `${node}: answered ${status}, but the answer does not come from a Lithair node` }
  const isReplayed = headers["idempotent-replayed"] === "true"
  // A request that timed out may be sent again (RFC 9110 §15.5.9).
  const mayPass = status === 408 || (status >= 500 && headers["retry-after"] !== undefined)
  return { _tag: "Refused", problem, isReplayed, mayPass, index: indexOf(answered) }
}

/** Tries again if the failure may pass, and asks other nodes if one does not know the path. */
const judgeAsked = (): Judge<Problem | NoAnswer> => {
  let last: Problem | NoAnswer = new NoAnswer({ message: "No node was asked" })
  return {
    judge: (attempt, isEachAsked) => {
      if (attempt._tag === "NoResponse") {
        last = new NoAnswer({ message: `No node answered in time; the last attempt: ${attempt.why}` })
        return undefined
      }
      last = attempt.problem
      const isFinal = !attempt.mayPass && (isEachAsked || (last.status < 500 && !isNotServed(last)))
      return isFinal ? last : undefined
    },
    timedOut: () => last
  }
}

/**
 * The key was too old, and no copy with it was ever done: this client made it, and every other copy was certainly refused.
 * The client may send the change with another key.
 */
class Outdated extends Data.TaggedError("Outdated")<{
  readonly problem: Problem
  readonly index: number | undefined
}> {}

/**
 * A refusal speaks only of its own attempt. Once an earlier attempt may be done, only the machine's memory of the key is
 * final, and a replayed answer shows it. So the client sends a refused change once more.
 */
const judgeChange = (nodesCount: number, key: string, isOwn: boolean): Judge<Problem | UnknownOutcome | Outdated> => {
  let mayBeDone = false
  let last: Problem | undefined
  let refusedCount = 0
  const unknown = (why: string) => new UnknownOutcome({ key, message: `It may or may not be done: ${why}` })
  return {
    judge: (attempt, isEachAsked) => {
      if (attempt._tag === "NoResponse") {
        mayBeDone = true
        return undefined
      }
      const { index, isReplayed, mayPass, problem } = attempt
      if (isReplayed || ofTheKey.includes(problem.kind)) return problem
      // An earlier request with the key, of this call or an older one, may be done.
      if (problem.kind === "operation-expired") {
        return isOwn && !mayBeDone ? new Outdated({ problem, index }) : unknown(problem.detail)
      }
      if (problem.status >= 500 && problem.members.definite !== true) {
        mayBeDone = true
        return undefined
      }
      last = problem
      if (mayPass || (!isEachAsked && (problem.status >= 500 || isNotServed(problem)))) return undefined
      if (!mayBeDone) return problem
      refusedCount += 1
      return refusedCount > nodesCount ? unknown(problem.detail) : undefined
    },
    timedOut: () => (mayBeDone || last === undefined ? unknown("no node reported its outcome in time") : last)
  }
}

/** Problems of the key itself. They hold for all requests with the key. */
const ofTheKey: ReadonlyArray<string> = ["operation-closed", "key-reused"]
