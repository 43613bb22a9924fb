/** Serves the streams of committed changes, of one model or of several. docs/http.md, "Changes". */
import { Effect, Result, Stream } from "effect"
import { HttpRouter, HttpServerRequest } from "effect/http"
import type { Asked, Changes, Follow, Told } from "../Changes/Changes.ts"
import { type Ending, streamOf } from "../Changes/Source.ts"
import { wrongTogether } from "../Changes/Together.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { notServed, type Problem, type ProblemError } from "../Problem.ts"
import { CurrentCaller } from "./Authentication.ts"
import { type EventStreams, respond, type ServerEvent } from "./EventStream.ts"
import { invalidQuery, only, type Params, parseParams, refuseOthers } from "./Params.ts"
import { allChangesPath, changesPath } from "./Paths.ts"
import { splitTarget } from "./Routing.ts"

/** The services that the streams need. */
export interface ChangeServices {
  readonly changes: Changes["Service"]
  readonly member: Ending
  readonly streams: EventStreams
}

/** Makes the routes of these models' changes. */
export const changeRoutes = (models: ReadonlyArray<Descriptor>, services: ChangeServices) => [
  ...models.map((descriptor) => {
    const whole = { models: [descriptor], restart: "?initial=true" }
    return HttpRouter.route(
      "GET",
      changesPath(descriptor),
      serve(services, [], () => whole)
    )
  }),
  HttpRouter.route(
    "GET",
    allChangesPath,
    serve(services, ["models"], (params, errors) => {
      const named = only(params, "models", errors)
      const chosen = chosenModels(models, named, errors)
      const unserved = pathsOf(named).find((path) => models.every((model) => model.path !== path))
      return { models: chosen, restart: `?models=${named ?? ""}&initial=true`, unserved }
    })
  )
]

/** The models of a stream, the query with which to start over, and a path at which this node has no model. */
type Whose = Pick<Asked, "models" | "restart"> & { readonly unserved?: string | undefined }

/** Follows the changes that a request asks for. */
const serve = (
  { changes, member, streams }: ChangeServices,
  more: ReadonlyArray<string>,
  whose: (params: Params, errors: Array<ProblemError>) => Whose
) =>
  Effect.gen(function* () {
    const { headers, originalUrl, url } = yield* HttpServerRequest.HttpServerRequest
    const params = yield* Effect.fromResult(parseParams(url))
    yield* Effect.fromResult(refuseOthers(params, ["after", "initial", ...more]))
    const asked = yield* Effect.fromResult(askedOf(params, headers["last-event-id"], whose))
    const caller = yield* CurrentCaller
    return yield* respond(
      streams,
      Effect.map(changes.follow(caller, { ...asked, restart: pathOf(originalUrl) + asked.restart }), (follow) =>
        Stream.mapArray(streamOf(follow, member), (told) => told.map((each) => eventOf(follow, each)) as never)
      )
    )
  })

/** The path as the client knows it, with the prefix of the mount. */
const pathOf = (originalUrl: string): string => splitTarget(originalUrl.replace(/^[a-z]+:\/\/[^/]*/i, "")).path

/** A client that comes back sends the id of its last event, with the URL that it began with: the id says more. */
const askedOf = (
  params: Params,
  lastEventId: string | undefined,
  whose: (params: Params, errors: Array<ProblemError>) => Whose
): Result.Result<Asked, Problem> => {
  const errors: Array<ProblemError> = []
  const after = only(params, "after", errors)
  const initial = only(params, "initial", errors)
  if (initial !== undefined && initial !== "true") errors.push({ path: "initial", message: "takes true" })
  if (initial !== undefined && after !== undefined) {
    errors.push({ path: "initial", message: "takes no after: the first state is the newest one" })
  }
  const { unserved, ...found } = whose(params, errors)
  if (errors.length > 0) return Result.fail(invalidQuery("The query of these changes is invalid", errors))
  // Another node may have it, as in a rolling upgrade.
  if (unserved !== undefined) return Result.fail(notServed(`There is no model at ${unserved.slice(0, shownMax)}`))
  const id = lastEventId === undefined || lastEventId === "" ? after : lastEventId
  return Result.succeed({ ...found, after: id, isInitial: initial !== undefined })
}

/** The models whose paths a query names, each once. */
const chosenModels = (
  models: ReadonlyArray<Descriptor>,
  named: string | undefined,
  errors: Array<ProblemError>
): ReadonlyArray<Descriptor> => {
  const paths = pathsOf(named)
  const wrong = (message: string) => void errors.push({ path: "models", message })
  if (paths.length === 0) wrong("takes paths of models, separated by commas")
  const chosen = paths.flatMap((path) => models.find((model) => model.path === path) ?? [])
  if (chosen.length > 0) for (const message of wrongTogether(chosen)) wrong(message)
  return chosen
}

const pathsOf = (named: string | undefined): ReadonlyArray<string> =>
  named === undefined || named === "" ? [] : named.split(",")

/** Messages quote at most so many characters of an unknown name. */
const shownMax = 200

const eventOf = ({ format }: Follow, told: Told): ServerEvent => {
  const id = format(told.position)
  switch (told._tag) {
    case "Change": {
      const { model, position, record, timeMs, type, version } = told
      const at = new Date(timeMs).toISOString()
      return {
        event: type,
        id,
        data: { index: position.index, at, model, id: told.id, version, record }
      }
    }
    case "Erased": {
      const { model, position, timeMs } = told
      return {
        event: "erased",
        id,
        data: { index: position.index, at: new Date(timeMs).toISOString(), model, id: told.id }
      }
    }
    case "Record": {
      const { changedIndex, model, record, version } = told
      return {
        event: "record",
        id,
        data: { index: changedIndex, model, id: told.id, version, record }
      }
    }
    case "Left": {
      const { index, model } = told
      return { event: "left", id, data: { index, model, id: told.id } }
    }
    case "Bookmark": {
      const { index, isInitialEnd, staleMs } = told
      const age = staleMs === undefined ? {} : { staleMs: Math.ceil(staleMs) }
      return { event: "bookmark", id, data: { index, ...age, ...(isInitialEnd ? { initialEnd: true } : {}) } }
    }
  }
}
