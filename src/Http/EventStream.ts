/**
 * Answers with a stream of server-sent events (WHATWG HTML, §9.2). A stream holds one piece of text at most: the next
 * events are made once the connection has taken those before. A client that takes nothing for long is cut off. The last
 * event of a stream says why it ends, and the id before it is where the client goes on, on any node.
 */
import { Cause, Effect, Result, type Scope, Stream } from "effect"
import { Sse } from "effect/encoding"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import { type Problem, problem, toJson } from "../Problem.ts"
import { monotonicMs } from "../Raft/node/MonotonicTime.ts"
import { overloaded } from "./Admission.ts"
import { tooMany } from "./Edge.ts"
import { cutWhenStuck, type Taking } from "./Stuck.ts"
import { CurrentVisit } from "./Visit.ts"

/** The most streams of a node. The node refuses more. */
export const streamsMaxCount = 1_024
/** The most bytes of events that clients have not taken yet, of all streams together. A stream that finds no room ends. */
export const unsentMaxBytes = 64 * 1024 * 1024
/** A piece of a stream is no larger, unless a single event is. */
const pieceMaxBytes = 32 * 1024

/** An event to send. */
export interface ServerEvent {
  readonly event: string
  /** Where a client goes on that has seen this event; absent if it goes on where it was. */
  readonly id?: string
  /** A value to write as JSON, or JSON that is written already. */
  readonly data: unknown
  readonly json?: string
}

/** The limits of the event streams of one node, on all its servers. */
export interface EventStreams {
  /**
   * Counts one more stream of a holder until the scope closes. Refuses it with `overloaded`, or with `too-many-requests` if
   * the holder has too many; without a holder it is nobody's.
   */
  readonly enter: (holder: string | undefined) => Effect.Effect<void, Problem, Scope.Scope>
  /** Takes room for bytes that a client has not taken yet. Returns whether there was room. */
  readonly reserve: (bytes: number) => boolean
  readonly free: (bytes: number) => void
  readonly openCount: () => number
}

/** Makes the limits. One holder may have `ofOneMaxCount` streams. */
export const makeEventStreams = (ofOneMaxCount: number): EventStreams => {
  let openCount = 0
  /** No more holders than streams. */
  const byHolder = new Map<string, number>()
  let unsentBytes = 0
  const take = (holder: string | undefined) =>
    Effect.suspend(() => {
      const ofHolder = holder === undefined ? 0 : (byHolder.get(holder) ?? 0)
      if (ofHolder >= ofOneMaxCount) return Effect.fail(tooMany("streams", 0))
      if (openCount >= streamsMaxCount) return Effect.fail(overloaded)
      openCount += 1
      if (holder !== undefined) byHolder.set(holder, ofHolder + 1)
      return Effect.void
    })
  const leave = (holder: string | undefined) =>
    Effect.sync(() => {
      openCount -= 1
      if (holder === undefined) return
      const left = (byHolder.get(holder) ?? 1) - 1
      if (left > 0) byHolder.set(holder, left)
      else byHolder.delete(holder)
    })
  return {
    enter: (holder) => Effect.acquireRelease(take(holder), () => leave(holder)),
    reserve: (bytes) => {
      if (unsentBytes + bytes > unsentMaxBytes) return false
      unsentBytes += bytes
      return true
    },
    free: (bytes) => {
      unsentBytes -= bytes
    },
    openCount: () => openCount
  }
}

/**
 * Answers a request with events. `begin` runs before the answer begins, and its failure is the answer. A failure of the
 * stream is its last event, `end`, which has the problem.
 */
export const respond = Effect.fnUntraced(function* (
  streams: EventStreams,
  begin: Effect.Effect<Stream.Stream<ServerEvent, Problem>, Problem, Scope.Scope>
): Effect.fn.Return<HttpServerResponse.HttpServerResponse, Problem, HttpServerRequest.HttpServerRequest | Scope.Scope> {
  const request = yield* HttpServerRequest.HttpServerRequest
  yield* streams.enter((yield* CurrentVisit)?.holder)
  const events = yield* begin
  const taking: Taking = { sinceMs: undefined }
  yield* Effect.forkScoped(cutWhenStuck(taking, request))
  return HttpServerResponse.stream(written(events, streams, taking), {
    contentType: "text/event-stream",
    // A proxy that waits for more would hold events back.
    headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
  })
})

/** Writes events as text, a piece at a time. */
const written = (
  events: Stream.Stream<ServerEvent, Problem>,
  streams: EventStreams,
  taking: Taking
): Stream.Stream<Uint8Array> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const upstream = yield* Stream.toPull(logged(events))
      let pieces: Array<Uint8Array> = []
      let reservedBytes = 0
      let isOver = false
      const free = (): void => {
        streams.free(reservedBytes)
        reservedBytes = 0
      }
      yield* Effect.addFinalizer(() => Effect.sync(free))

      const give = (piece: Uint8Array) =>
        Effect.map(monotonicMs, (nowMs) => {
          taking.sinceMs = nowMs
          return [piece] as const
        })
      const end = (met: Problem) => {
        isOver = true
        return give(textOf(endOf(met)))
      }
      return Stream.fromPull(
        Effect.succeed(
          Effect.suspend((): Effect.Effect<readonly [Uint8Array], Cause.Done> => {
            taking.sinceMs = undefined
            const next = pieces.shift()
            if (next !== undefined) return give(next)
            free()
            if (isOver) return Cause.done()
            return Effect.matchEffect(upstream, {
              onSuccess: (told) => {
                const made = piecesOf(told)
                const bytes = made.reduce((sum, { length }) => sum + length, 0)
                if (!streams.reserve(bytes)) return end(overloaded)
                reservedBytes = bytes
                pieces = made
                return give(pieces.shift()!)
              },
              onFailure: (met) => (Cause.isDone(met) ? Cause.done() : end(met))
            })
          })
        )
      )
    })
  )

/** A defect ends a stream as it ends another answer: the log has it, and the client hears that the node failed. */
const logged = (events: Stream.Stream<ServerEvent, Problem>): Stream.Stream<ServerEvent, Problem> =>
  Stream.catchCause(events, (cause) => {
    const met = Cause.findError(cause)
    if (Result.isSuccess(met)) return Stream.fail(met.success)
    if (Cause.hasInterruptsOnly(cause)) return Stream.failCause(cause as Cause.Cause<never>)
    return Stream.unwrap(
      Effect.as(Effect.logError("A stream of events failed with a defect", cause), Stream.fail(failed))
    )
  })

const failed = problem("internal", "The node failed with an internal error: see its log", {})

const endOf = (met: Problem): ServerEvent => ({ event: "end", data: { problem: toJson(met) } })

/** Writes events into pieces of text. */
const piecesOf = (events: ReadonlyArray<ServerEvent>): Array<Uint8Array> => {
  const pieces: Array<Uint8Array> = []
  let text = ""
  for (const event of events) {
    const frame = frameOf(event)
    if (text !== "" && text.length + frame.length > pieceMaxBytes) {
      pieces.push(encoder.encode(text))
      text = ""
    }
    text += frame
  }
  if (text !== "") pieces.push(encoder.encode(text))
  return pieces
}

const encoder = new TextEncoder()

const textOf = (event: ServerEvent): Uint8Array => encoder.encode(frameOf(event))

const frameOf = ({ data, event, id, json = JSON.stringify(data) }: ServerEvent): string =>
  Sse.encoder.write({ _tag: "Event", event, id, data: json })
