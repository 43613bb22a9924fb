/**
 * Reads a stream of server-sent events of a cluster, from one node after another. If a node ends the stream, fails or
 * falls silent, it goes on at the next one, after the last event that it has given. docs/http.md, "Changes".
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { makeParser } from "effect/encoding/Sse"
import type * as HttpClient from "effect/http/HttpClient"
import type * as HttpClientResponse from "effect/http/HttpClientResponse"
import type * as Pull from "effect/Pull"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Problem, problemMediaType } from "../../Problem.ts"
import { monotonicMs } from "../../Raft/node/MonotonicTime.ts"
import { NoAnswer } from "../Failure.ts"
import { isNotServed } from "./Answer.ts"
import { type Asked, bodyOf, problemOf, requestOf } from "./Asked.ts"

/** A node sends a bookmark every 15 s. One that says nothing for twice as long is given up. */
const silentMaxMs = 30_000
/** A connection that lasts for so long was a good one. */
const lastingMs = 1_000
/** The most characters of an event: a record, and what stands around it. */
const eventMaxSize = 16 * 1024 * 1024

/** An event. `id` is where the stream goes on after it. */
export interface StreamEvent {
  readonly event: string
  readonly id: string | undefined
  readonly data: unknown
}

/** The nodes, and how they are reached. Sending.ts has the meaning of the times. */
export interface Reached {
  readonly http: HttpClient.HttpClient
  readonly nodes: ReadonlyArray<string>
  readonly attemptTimeoutMs: number
  readonly timeoutMs: number
  /** Pauses after so many rounds in which all nodes have failed. */
  readonly pause: (round: number) => Effect.Effect<void>
}

/** One connection to a node. */
interface Connection {
  readonly beganMs: number
  /** Whether an event has come. */
  hasTold: boolean
  readonly scope: Scope.Closeable
  readonly pull: Pull.Pull<ReadonlyArray<Uint8Array>, unknown>
  /** Reads bytes into the events that they complete. */
  readonly parse: (bytes: ReadonlyArray<Uint8Array>) => ReadonlyArray<StreamEvent>
}

/**
 * Reads the events of the request that `asked` makes; it gets the id of the last event. It fails once every node refuses,
 * or if none answers in time.
 */
export const readEvents = (
  { attemptTimeoutMs, http, nodes, pause, timeoutMs }: Reached,
  asked: (lastId: string | undefined) => Asked
): Stream.Stream<StreamEvent, Problem | NoAnswer> =>
  Stream.unwrap(
    Effect.gen(function* () {
      let at = 0
      let lastId: string | undefined
      let open: Connection | undefined
      /** Why the node ended the stream, until that is judged. */
      let ended: Problem | NoAnswer | undefined
      /** The failures in a row, and until when there may be more. */
      let failedCount = 0
      let endMs = (yield* monotonicMs) + timeoutMs
      /** The nodes that have refused since a stream was good, by their places, and the last reason. */
      const refusing = new Set<number>()
      let refusal: Problem | undefined

      const close = Effect.suspend(() => {
        const closing = open
        open = undefined
        return closing === undefined ? Effect.void : Scope.close(closing.scope, Exit.void)
      })
      yield* Effect.addFinalizer(() => close)

      /** Gives the node up, and goes to the next one. Fails if that is of no use, or if the time is over. */
      const giveUp = Effect.fnUntraced(function* (why: Problem | NoAnswer) {
        const nowMs = yield* monotonicMs
        if (open !== undefined && nowMs - open.beganMs >= lastingMs) {
          failedCount = 0
          refusing.clear()
          refusal = undefined
        }
        // The time for other nodes begins now, and not when this one fell silent.
        if (open?.hasTold === true) endMs = nowMs + timeoutMs
        yield* close
        failedCount += 1
        const scope = scopeOf(why)
        if (scope !== "moment" && why._tag !== "NoAnswer") {
          refusing.add(at)
          refusal = why
        }
        if (scope === "cluster" || refusing.size === nodes.length) return yield* Effect.fail(why)
        // A node that is down tells nothing against the refusal of those that are not.
        if (nowMs >= endMs) return yield* Effect.fail(refusal ?? why)
        at = (at + 1) % nodes.length
        if (failedCount % nodes.length === 0) yield* pause(failedCount / nodes.length)
      })

      /** Asks one node. Returns why it does not stream, if it does not. */
      const connect = Effect.fnUntraced(function* (node: string) {
        const response = yield* http.execute(requestOf(node, asked(lastId)))
        const refusal = yield* refusalOf(node, response)
        if (refusal !== undefined) return refusal
        const scope = Scope.makeUnsafe()
        const pull = yield* Scope.provide(Stream.toPull(response.stream), scope)
        open = { beganMs: yield* monotonicMs, hasTold: false, scope, pull, parse: parsing() }
        return undefined
      })

      /** Reads what has come. Returns why the node says no more, if it does not. */
      const read = Effect.fnUntraced(function* ({ parse, pull }: Connection, node: string) {
        const bytes = yield* Effect.result(Effect.timeout(pull, silentMaxMs))
        if (Result.isFailure(bytes)) return noAnswer(node, "the stream broke off, or fell silent")
        const events = parse(bytes.success)
        const end = events.findIndex(({ event }) => event === "end")
        if (end >= 0) ended = reasonOf(node, events[end]!)
        return end === -1 ? events : events.slice(0, end)
      })

      const next = Effect.gen(function* (): Effect.fn.Return<Filled, Problem | NoAnswer> {
        while (true) {
          const node = nodes[at]!
          if (ended !== undefined) {
            const why = ended
            ended = undefined
            yield* giveUp(why)
          } else if (open === undefined) {
            const refusal = yield* connect(node).pipe(
              Effect.timeout(attemptTimeoutMs),
              Effect.catch(({ message }) => Effect.succeed(noAnswer(node, message)))
            )
            if (refusal !== undefined) yield* giveUp(refusal)
          } else {
            const told = yield* read(open, node)
            if (!Array.isArray(told)) yield* giveUp(told as NoAnswer)
            else if (isFilled(told)) {
              open.hasTold = true
              lastId = told[told.length - 1]!.id ?? lastId
              return told
            }
          }
        }
      })
      return Stream.fromPull(Effect.succeed(next))
    })
  )

type Filled = readonly [StreamEvent, ...Array<StreamEvent>]

const isFilled = (told: ReadonlyArray<StreamEvent>): told is Filled => told.length > 0

const noAnswer = (node: string, message: string): NoAnswer =>
  new NoAnswer({ message: `No node answered in time; the last attempt: ${node}: ${message}` })

/**
 * Where a reason holds: at this moment, on this node, or in the whole cluster. Another node may serve the path, or may have
 * kept more of the log.
 */
const scopeOf = (why: Problem | NoAnswer): "moment" | "node" | "cluster" => {
  if (why._tag === "NoAnswer" || mayPass.includes(why.kind)) return "moment"
  return why.status >= 500 || isNotServed(why) || why.kind === "changes-gone" ? "node" : "cluster"
}

/** Problems of a node that may be over a moment later. */
const mayPass: ReadonlyArray<string> = [
  // The node may not have noticed yet that the streams before this one are gone.
  "too-many-requests",
  "no-quorum",
  "overloaded",
  // Whoever could say whether the credential is good does not answer: the cluster itself, while it has no leader.
  "auth-unavailable",
  "draining",
  "starting",
  "not-caught-up",
  "too-stale",
  "upgrade-required"
]

/** Why a node does not stream; undefined if it does. */
const refusalOf = (node: string, response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const { headers, status } = response
    const isStream = headers["content-type"]?.startsWith("text/event-stream") === true
    if (status === 200 && isStream && headers["lithair-node"] !== undefined) return undefined
    const body = bodyOf(yield* response.text)
    return problemOf({ status, headers, body }) ?? noAnswer(node, `answered ${status}, and no stream of a Lithair node`)
  })

/** Why a node ended its stream. */
export const reasonOf = (node: string, { data }: StreamEvent): Problem | NoAnswer => {
  const { problem: body } = data as { readonly problem?: { readonly status?: number } }
  const headers = { "content-type": problemMediaType }
  return problemOf({ status: body?.status ?? 0, headers, body }) ?? noAnswer(node, "it ended the stream")
}

/** Reads the text of one connection. What a node has not sent whole is nothing. */
const parsing = (): Connection["parse"] => {
  let events: Array<StreamEvent> = []
  const text = new TextDecoder()
  const parser = makeParser(
    (event) => {
      if (event._tag === "Event") events.push({ event: event.event, id: event.id, data: bodyOf(event.data) })
    },
    { maxEventSize: eventMaxSize }
  )
  return (bytes) => {
    events = []
    for (const part of bytes) parser.feed(text.decode(part, { stream: true }))
    return events
  }
}
