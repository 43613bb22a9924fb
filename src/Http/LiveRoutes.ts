/** Serves live queries: one page of a list that stays right, and several on one stream. docs/live.md. */
import { Effect, Result, Stream } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import { queriesOfStreamMaxCount } from "../Live/Bounds.ts"
import type { LiveQueries, LiveStream } from "../Live/LiveQueries.ts"
import type { LiveRequest } from "../Live/LiveRequest.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { invalidRequest, notServed, type Problem, type ProblemError, toJson } from "../Problem.ts"
import type { Consistency } from "../Repository/Freshness.ts"
import { CurrentCaller } from "./Authentication.ts"
import { jsonMediaTypes, readJson } from "./Body.ts"
import { type EventStreams, respond, type ServerEvent } from "./EventStream.ts"
import { makeListParser } from "./ListQuery.ts"
import { bookmarkText, updateText } from "./LiveText.ts"
import { invalidQuery, type Params, parseParams, refuseOthers } from "./Params.ts"
import { collectionPath, livePath, liveQueriesPath } from "./Paths.ts"
import { parseConsistency, readParameters } from "./ReadQuery.ts"
import { splitTarget } from "./Routing.ts"

/** The services that live queries need. */
export interface LiveServices {
  readonly live: LiveQueries["Service"]
  readonly streams: EventStreams
}

/** A live query, and the key under which its events come, if it shares its stream. */
interface Taken {
  readonly key: string | undefined
  readonly request: LiveRequest & { readonly fingerprint: string }
}

/** The same, or why it is refused. */
interface Asked {
  readonly key: string | undefined
  readonly request: Result.Result<Taken["request"], Problem>
}

type ParseLive = (params: Params) => Asked["request"]

/** Makes the routes of these models' live queries. */
export const liveRoutes = (models: ReadonlyArray<Descriptor>, services: LiveServices) => {
  const parsers = new Map(models.map((descriptor) => [collectionPath(descriptor), liveParser(descriptor)]))

  const one = (parse: ParseLive) =>
    Effect.gen(function* () {
      const { url } = yield* HttpServerRequest.HttpServerRequest
      const params = yield* Effect.fromResult(parseParams(url))
      return yield* serve(services, [{ key: undefined, request: parse(params) }], params)
    })

  const several = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const params = yield* Effect.fromResult(parseParams(request.url))
    yield* Effect.fromResult(refuseOthers(params, readParameters))
    const { data } = yield* readJson(request, { mediaTypes: jsonMediaTypes })
    return yield* serve(services, yield* Effect.fromResult(queriesOf(parsers, data)), params)
  })

  return [
    ...models.map((descriptor) =>
      HttpRouter.route("GET", livePath(descriptor), one(parsers.get(collectionPath(descriptor))!))
    ),
    HttpRouter.route("POST", liveQueriesPath, several)
  ]
}

/** Makes a parser for the live queries of one model: those of its lists, but that a total would be counted with each change. */
const liveParser = (descriptor: Descriptor): ParseLive => {
  const parse = makeListParser(descriptor)
  return (params) =>
    Result.flatMap(parse(params), ({ countsTotal, showsVersions: _, ...query }) =>
      countsTotal
        ? Result.fail(
            invalidQuery("The query of this list is invalid", [
              { path: "count", message: "is not kept right: leave it out" }
            ])
          )
        : Result.succeed({ ...query, descriptor })
    )
}

/** Opens the queries, and streams what they tell. A query of several that is refused ends alone. */
const serve = Effect.fnUntraced(function* (
  { live, streams }: LiveServices,
  asked: ReadonlyArray<Asked>,
  params: Params
) {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const caller = yield* CurrentCaller
  const consistency = yield* Effect.fromResult(parseConsistency(params, headers["lithair-min-index"]))
  const minIndex = yield* Effect.fromResult(minIndexOf(consistency, headers["last-event-id"]))
  const taken = asked.flatMap(({ key, request }) =>
    Result.isSuccess(request) ? [{ key, request: request.success }] : []
  )
  const refused = asked.flatMap(({ key, request }) =>
    Result.isFailure(request) ? [{ key, met: request.failure }] : []
  )
  const [first] = refused
  if (first !== undefined && first.key === undefined) return yield* Effect.fail(first.met)
  const ends = Stream.fromIterable(refused.map(({ key, met }) => endOf(key, met)))
  if (first !== undefined && taken.length === 0) {
    return yield* respond(streams, Effect.succeed(Stream.concat(ends, Stream.fail(first.met))))
  }
  const requests = taken.map(({ request }) => request)
  const opened = Effect.mapError(live.open(caller, requests, { consistency, minIndex }), (failure) =>
    failure.toProblem()
  )
  return yield* respond(
    streams,
    Effect.map(opened, (stream) => Stream.concat(ends, eventsOf(stream, taken)))
  )
})

/** The end of one query of several. */
const endOf = (key: string | undefined, met: Problem): ServerEvent => ({
  event: "ended",
  data: { key, problem: toJson(met) }
})

/** A client that comes back has a page already: the id of its last event is an index that the first page must reflect. */
const minIndexOf = (consistency: Consistency, lastEventId: string | undefined): Result.Result<number, Problem> => {
  const asked = consistency._tag === "Session" ? consistency.minIndex : 0
  if (lastEventId === undefined || lastEventId === "") return Result.succeed(asked)
  return /^\d{1,15}$/.test(lastEventId)
    ? Result.succeed(Math.max(asked, Number(lastEventId)))
    : Result.fail(
        invalidRequest("The headers of this live query are invalid", [
          { path: "Last-Event-ID", message: "takes the id of an event of a live query" }
        ])
      )
}

/** Ends with the problem of the stream, or of the last query that went on. */
const eventsOf = (stream: LiveStream, asked: ReadonlyArray<Taken>): Stream.Stream<ServerEvent, Problem> =>
  Stream.fromPull(
    Effect.sync(() => {
      const ended = new Set<number>()
      let last: Problem | undefined
      const next: Effect.Effect<ReadonlyArray<ServerEvent>, Problem> = Effect.gen(function* () {
        if (last !== undefined) return yield* Effect.fail(last)
        const { index, messages, staleMs } = yield* Effect.mapError(stream.take, (failure) => failure.toProblem())
        const events: Array<ServerEvent> = []
        const end = (query: number, met: Problem): void => {
          ended.add(query)
          if (ended.size === asked.length) last = met
          else events.push(endOf(asked[query]?.key, met))
        }
        for (const { message, query } of messages) {
          const { key, request } = asked[query]!
          if (ended.has(query)) continue
          if (message._tag === "End") {
            end(query, message.failure.toProblem())
            continue
          }
          const text = updateText(request, message, { key, staleMs })
          if (Result.isFailure(text)) end(query, text.failure)
          else
            events.push({ event: eventNames[message._tag], id: String(message.index), data: null, json: text.success })
        }
        if (messages.length === 0) {
          events.push({ event: "bookmark", id: String(index), data: null, json: bookmarkText(index, staleMs) })
        }
        return events
      })
      const pull: Effect.Effect<readonly [ServerEvent, ...Array<ServerEvent>], Problem> = Effect.flatMap(
        next,
        (events) => (isFilled(events) ? Effect.succeed(events) : pull)
      )
      return pull
    })
  )

const isFilled = <A>(all: ReadonlyArray<A>): all is readonly [A, ...Array<A>] => all.length > 0

const eventNames = { Page: "page", Diff: "diff" } as const

const keyPattern = /^[!-~]{1,64}$/

/** Parses the queries of a stream: paths of lists, by key. */
const queriesOf = (
  parsers: ReadonlyMap<string, ParseLive>,
  data: unknown
): Result.Result<ReadonlyArray<Asked>, Problem> => {
  const wrong = (errors: ReadonlyArray<ProblemError>) =>
    Result.fail(invalidRequest("The live queries are invalid", errors))
  const { queries, ...others } = isObject(data) ? data : {}
  const unknown = Object.keys(others).map((path) => ({ path, message: "is not a field here: leave it out" }))
  if (unknown.length > 0) return wrong(unknown)
  const named = isObject(queries) ? Object.entries(queries) : []
  if (named.length === 0 || named.length > queriesOfStreamMaxCount) {
    return wrong([
      { path: "queries", message: `takes an object of 1 to ${queriesOfStreamMaxCount} paths of lists by their keys` }
    ])
  }
  const bad = named.filter(([key]) => !keyPattern.test(key))
  if (bad.length > 0) {
    return wrong(
      bad.map(([key]) => ({
        path: `queries.${key.slice(0, 64)}`,
        message: "takes keys of 1 to 64 visible ASCII characters"
      }))
    )
  }
  return Result.succeed(named.map(([key, path]) => ({ key, request: queryAt(parsers, path) })))
}

const queryAt = (parsers: ReadonlyMap<string, ParseLive>, path: unknown): ReturnType<ParseLive> => {
  const { path: collection } = splitTarget(typeof path === "string" ? path : "")
  const parse = parsers.get(collection)
  if (typeof path !== "string") {
    return Result.fail(invalidRequest("takes the path of a list, as in /api/products?limit=20"))
  }
  if (parse === undefined) return Result.fail(notServed(`There is no list at ${path.slice(0, 200)}`))
  return Result.flatMap(parseParams(path), (params) => {
    const own = params.filter(([name]) => readParameters.some((each) => each === name))
    const errors = own.map(([path]) => ({
      path,
      message: "is of the whole stream: write it into the query of the request"
    }))
    return errors.length > 0 ? Result.fail(invalidQuery("The query of this list is invalid", errors)) : parse(params)
  })
}

const isObject = (data: unknown): data is Readonly<Record<string, unknown>> =>
  typeof data === "object" && data !== null && !Array.isArray(data)
