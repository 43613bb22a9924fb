/**
 * The live queries of one client, over one stream: a browser opens six connections to a host. When a query comes, the
 * client asks for all of them anew, on the same stream; pages that it has already make no difference (LiveView.ts). Queries
 * that ask for another freshness, and those of one node's own data, have streams of their own. docs/live.md.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { liveQueriesPath } from "../../Http/Paths.ts"
import type { Problem } from "../../Problem.ts"
import { NoAnswer } from "../Failure.ts"
import type { Asked } from "./Asked.ts"
import { readEvents, reasonOf, type StreamEvent } from "./EventReader.ts"
import type { Sending } from "./Sending.ts"

/** The most queries of one stream: the node takes no more. */
const queriesMaxCount = 64
/** Queries that come within so long are asked for together. */
const gatherMs = 5

/** How to ask for a stream: queries that are asked for alike share it. */
export interface Way extends Pick<Asked, "isOfOneNode"> {
  readonly query: NonNullable<Asked["query"]>
  readonly isSession: boolean
}

/** A live query of the client. */
export interface LiveQuery {
  /** The path of the list, with its query. */
  readonly path: string
  readonly take: (event: StreamEvent) => void
  /** The query has ended. It is left. */
  readonly fail: (why: Problem | NoAnswer) => void
}

/** The live queries of one client. */
export interface LiveConnection {
  /** Follows a query until the scope closes. */
  readonly join: (way: Way, query: LiveQuery) => Effect.Effect<void, never, Scope.Scope>
}

interface Shared {
  readonly join: (query: LiveQuery) => Effect.Effect<void, never, Scope.Scope>
  readonly hasRoom: () => boolean
}

/** Makes the live queries of one client. */
export const make = (sending: Sending): LiveConnection => {
  const shared = new Map<string, Array<Shared>>()
  return {
    join: (way, query) =>
      Effect.suspend(() => {
        const name = JSON.stringify(way)
        const ofWay = shared.get(name) ?? []
        shared.set(name, ofWay)
        const found = ofWay.find(({ hasRoom }) => hasRoom()) ?? makeShared(sending, way)
        if (!ofWay.includes(found)) ofWay.push(found)
        return found.join(query)
      })
  }
}

/** One stream and its queries. It is open while there are any. */
const makeShared = ({ reached, saw, seenIndex }: Sending, { isOfOneNode = false, isSession, query }: Way): Shared => {
  const queries = new Map<string, LiveQuery>()
  let keys = 0
  /** The newest index that a node has told of: the first page of the next one is not older. */
  let seen = 0
  let open: Scope.Closeable | undefined
  const oneAtATime = Semaphore.makeUnsafe(1)
  const nodes = isOfOneNode ? reached.nodes.slice(0, 1) : reached.nodes

  const tell = (event: StreamEvent): void => {
    const { id = "" } = event
    if (/^\d+$/.test(id)) {
      seen = Math.max(seen, Number(id))
      saw(seen)
    }
    const { key } = event.data as { readonly key?: string }
    if (key === undefined) {
      for (const each of queries.values()) each.take(event)
    } else if (event.event === "ended") end(key, reasonOf("a node", event))
    else queries.get(key)?.take(event)
  }
  const end = (key: string, why: Problem | NoAnswer): void => {
    queries.get(key)?.fail(why)
    queries.delete(key)
  }

  const endAll = (why: Problem | NoAnswer): void => {
    for (const key of [...queries.keys()]) end(key, why)
  }

  const follow = Effect.suspend(() => {
    const body = { queries: Object.fromEntries(Array.from(queries, ([key, { path }]) => [key, path])) }
    const session: Record<string, string> = isSession ? { "lithair-min-index": String(seenIndex()) } : {}
    const events = readEvents({ ...reached, nodes }, () => ({
      method: "POST",
      path: liveQueriesPath,
      query,
      headers: seen === 0 ? session : { ...session, "last-event-id": String(seen) },
      body
    }))
    return Stream.runForEach(events, (event) => Effect.sync(() => tell(event)))
  }).pipe(
    Effect.catch((why) => Effect.sync(() => endAll(why))),
    // This does not catch the interruption by `close`.
    Effect.catchCause((cause) =>
      Effect.sync(() => endAll(new NoAnswer({ message: `The client failed: ${Cause.pretty(cause)}` })))
    )
  )

  const close = Effect.suspend(() => {
    const closing = open
    open = undefined
    return closing === undefined ? Effect.void : Scope.close(closing, Exit.void)
  })
  const restart = Effect.gen(function* () {
    yield* close
    if (queries.size === 0) return
    const scope = Scope.makeUnsafe()
    open = scope
    yield* Effect.forkIn(Effect.andThen(Effect.sleep(gatherMs), follow), scope)
  })

  return {
    hasRoom: () => queries.size < queriesMaxCount,
    join: (query) =>
      Effect.acquireRelease(
        Effect.suspend(() => {
          const key = String(++keys)
          queries.set(key, query)
          return Effect.as(oneAtATime.withPermits(1)(restart), key)
        }),
        (key) =>
          Effect.suspend(() => {
            queries.delete(key)
            return queries.size === 0 ? oneAtATime.withPermits(1)(restart) : Effect.void
          })
      ).pipe(Effect.asVoid)
  }
}
