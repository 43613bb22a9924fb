/**
 * Sending a request until its answer is final: to one node after another, for as long as it may take. A change is sent
 * again with the same idempotency key, so that it is done once, whichever nodes die meanwhile; and what may have been done
 * is never called refused. Not what is asked, nor what an answer means. docs/http.md, "Problems".
 */
import { uuidV4Unsafe } from "effect/crypto/SecureRandom"
import * as Effect from "effect/Effect"
import type * as HttpClient from "effect/http/HttpClient"
import * as Random from "effect/Random"
import { indexHeader } from "../Http/IndexHeader.ts"
import { isKey, noKey } from "../Machine/RequestKey.ts"
import { invalidRequest, type Problem } from "../Problem.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Answered, type Asked, bodyOf, problemOf, requestOf } from "./Asked.ts"
import { isNotServed, NoAnswer } from "./Failure.ts"

/** Which cluster, and how long its answers may take. */
export interface ClientOptions {
  /**
   * The URLs of nodes of the cluster, as in `http://127.0.0.1:8081`, with the prefix of their API if it has one, as in
   * `http://127.0.0.1:8081/v1`. One is asked for as long as it answers well.
   */
  readonly nodes: readonly [string, ...ReadonlyArray<string>]
  /** After how long without an answer another node is asked: 5,000 unless given. A node answers within about 2,500. */
  readonly attemptTimeoutMs?: number
  /** After how long no further attempt is made: 30,000 unless given. */
  readonly timeoutMs?: number
}

const attemptTimeoutDefaultMs = 5_000
const timeoutDefaultMs = 30_000

/** Once all nodes have been asked in vain: the first pause before they are asked again, and the longest. */
const pauseMinMs = 50
const pauseMaxMs = 1_000

/** Of one client. */
export interface Sending {
  /** Asked as often as need be: a read, or what changes nothing more when it is sent again. */
  readonly ask: (asked: Asked) => Effect.Effect<Answered, Problem | NoAnswer>
  /** Done once. Without a key it is given one. */
  readonly change: (asked: Asked, key: string | undefined) => Effect.Effect<Answered, Problem | UnknownOutcome>
  /** The highest index that an answer has reflected: what a session has seen. */
  readonly seenIndex: () => number
}

/** What an attempt came to. `NoResponse` is whatever else may happen to a request: it may have been done, or not. */
type Attempt =
  | { readonly _tag: "Answered"; readonly answered: Answered }
  | { readonly _tag: "Refused"; readonly problem: Problem; readonly isReplayed: boolean; readonly mayPass: boolean }
  | { readonly _tag: "NoResponse"; readonly why: string }

/** Judges attempts one after another: what is to be told, or undefined where another attempt is to be made. */
interface Judge<E> {
  readonly judge: (
    attempt: Exclude<Attempt, { readonly _tag: "Answered" }>,
    /** Whether each node has been asked once at least. */
    isEachAsked: boolean
  ) => E | undefined
  /** What is told when the time is over. */
  readonly timedOut: () => E
}

/** Sends requests by this HTTP client. */
export const make = (http: HttpClient.HttpClient, options: ClientOptions): Sending => {
  const { attemptTimeoutMs = attemptTimeoutDefaultMs, nodes, timeoutMs = timeoutDefaultMs } = options
  let preferred = 0
  let seenIndex = 0

  const attempt = (node: string, asked: Asked, withinMs: number): Effect.Effect<Attempt> =>
    http.execute(requestOf(node, asked)).pipe(
      Effect.flatMap(({ headers, status, text }) => Effect.map(text, (body) => ({ status, headers, body }))),
      Effect.timeout(withinMs),
      Effect.map(({ body, headers, status }): Attempt => {
        const index = Number(headers[indexHeader])
        if (Number.isSafeInteger(index)) seenIndex = Math.max(seenIndex, index)
        return attemptOf(node, { status, headers, body: bodyOf(body) })
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
      // Of requests that are under way at once, the first that fails turns from the node.
      if (preferred === at) preferred = (at + 1) % nodes.length
      if (count % askable === 0) {
        const pauseMs = Math.min(pauseMaxMs, pauseMinMs * 2 ** (count / askable - 1))
        yield* Effect.sleep(pauseMs * (0.5 + (yield* Random.next) / 2))
      }
      if ((yield* monotonicMs) >= endMs) return yield* Effect.fail(timedOut())
    }
  })

  return {
    ask: (asked) => untilFinal(asked, judgeAsked()),
    change: (asked, given) =>
      Effect.suspend(() => {
        const key = given ?? uuidV4Unsafe()
        if (!isKey(key)) return Effect.fail(invalidRequest(noKey))
        const headers = { ...asked.headers, "idempotency-key": key }
        return untilFinal({ ...asked, headers }, judgeChange(nodes.length, key))
      }),
    seenIndex: () => seenIndex
  }
}

const attemptOf = (node: string, answered: Answered): Attempt => {
  const { headers, status } = answered
  const problem = problemOf(answered)
  // What stands in front of a node may answer too: a page to log in, or that the node is not there.
  const isOfNode = headers["lithair-node"] !== undefined
  if (isOfNode && status >= 200 && status < 300) return { _tag: "Answered", answered }
  if (problem === undefined)
    return { _tag: "NoResponse", why: `${node}: answered ${status}, and that is no node's answer` }
  const isReplayed = headers["idempotent-replayed"] === "true"
  // What did not come in time may come in time when it is sent again (RFC 9110 §15.5.9).
  const mayPass = status === 408 || (status >= 500 && headers["retry-after"] !== undefined)
  return { _tag: "Refused", problem, isReplayed, mayPass }
}

/** Whatever may pass is asked again; and of other nodes whatever a node has not got. */
const judgeAsked = (): Judge<Problem | NoAnswer> => {
  let last: Problem | NoAnswer = new NoAnswer({ message: "No node was asked" })
  return {
    judge: (attempt, isEachAsked) => {
      if (attempt._tag === "NoResponse") {
        last = new NoAnswer({ message: `No node answered in time, the last was ${attempt.why}` })
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
 * A refusal speaks of its attempt alone. Once an attempt may have been done, only what the machine remembers of the key
 * is final: a copy is answered with that as replayed, so that what was refused is sent once more.
 */
const judgeChange = (nodesCount: number, key: string): Judge<Problem | UnknownOutcome> => {
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
      const { isReplayed, mayPass, problem } = attempt
      if (isReplayed || ofTheKey.includes(problem.kind)) return problem
      // An earlier request with the key, of this call or before it, may have been done.
      if (problem.kind === "operation-expired") return unknown(problem.detail)
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
    timedOut: () => (mayBeDone || last === undefined ? unknown("no node said in time what became of it") : last)
  }
}

/** Problems of the key itself: they hold for whatever was sent with it before. */
const ofTheKey: ReadonlyArray<string> = ["operation-closed", "key-reused"]
