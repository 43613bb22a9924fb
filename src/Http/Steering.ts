/**
 * What operators say, on any node, about an event over which a reaction or a projection into SQL stumbles, and how such an
 * event is shown. Reaction/Steering.ts decides.
 */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { notFound, type Problem, problem } from "../Problem.ts"
import { eventId } from "../Projection/Event.ts"
import type { Led, LedStatus } from "../Reaction/Led.ts"
import type { Stumbled } from "../Reaction/Position.ts"
import type { SteeringRefused } from "../Reaction/Steering.ts"
import { noFlags, readBody } from "./AdminRoutes.ts"
import { type Acting, type OperatorRoute, operating, viewing } from "./OperatorRoutes.ts"
import { problemOfFailure } from "./Outcomes.ts"

/** The name of an event, as `Projection.eventId` makes it. */
const EventName = Schema.String.check(Schema.isPattern(/^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,4})$/u)).annotate({
  description: "The event, as `stumbles.at` or `parked[].at` names it"
})

/** The body by which an operator steers a reaction or a projection. */
export const Steering = Schema.Struct({
  action: Schema.Literals(["skip", "park", "retry"]).annotate({
    description:
      "skip: give the event up for ever. park: put it aside and go on. retry: try it at once, also if it is parked"
  }),
  at: EventName
}).annotate({ identifier: "lithair.Steering" })

const failed = { at: Schema.String, sinceMs: Schema.Int, failure: Schema.String }

/** The event that is tried again, and those that are put aside, as a node shows them. */
export const shownEvents = {
  stumbles: Schema.optionalKey(Schema.Struct(failed)),
  parked: Schema.Array(Schema.Struct({ ...failed, due: Schema.Boolean }))
}

/** Shows the event that is tried again, and those that are put aside. */
export const eventsOfStatus = ({ parked, stumbled }: Pick<LedStatus, "parked" | "stumbled">) => ({
  ...(stumbled === undefined ? {} : { stumbles: failedOf(stumbled) }),
  parked: parked.map((each) => ({ ...failedOf(each), due: each.isDue }))
})

const failedOf = ({ failure, index, ordinal, sinceMs }: Omit<Stumbled, "retriesCount">) => ({
  at: eventId({ index, ordinal }),
  sinceMs,
  failure
})

/** Makes the routes that show followers of one kind, and by which operators steer one. `param` is its name in `one`. */
export const steeringRoutes = <Status extends LedStatus>(
  led: Pick<Led, "steer"> & { readonly status: () => ReadonlyArray<Status> },
  kind: {
    readonly all: `/${string}`
    readonly one: `/${string}`
    readonly param: "reaction" | "projection"
    readonly shown: (status: Status) => unknown
  }
): ReadonlyArray<OperatorRoute> => {
  const { param, shown } = kind
  const problemOf = (refused: SteeringRefused): Problem =>
    refused.reason === "unknown"
      ? notFound(`There is no such ${param}`)
      : problem(`${param}-refused`, refused.message, { reason: refused.reason, definite: true })
  const steer = Effect.fnUntraced(function* ({ note }: Acting) {
    yield* noFlags
    const { action, at } = yield* readBody(Steering)
    note({ action, at })
    const name = (yield* HttpRouter.params)[param] ?? ""
    const [index = 0, ordinal = 0] = at.split(".").map(Number)
    yield* led
      .steer(name, action, { index, ordinal })
      .pipe(
        Effect.mapError((met) => (met._tag === "SteeringRefused" ? problemOf(met) : problemOfFailure(met, undefined)))
      )
    const now = led.status().find((each) => each.name === name)
    return HttpServerResponse.jsonUnsafe(now === undefined ? {} : shown(now))
  })
  return [
    viewing(
      kind.all,
      Effect.map(noFlags, () => HttpServerResponse.jsonUnsafe({ items: led.status().map(shown) }))
    ),
    operating("POST", kind.one, steer)
  ]
}
