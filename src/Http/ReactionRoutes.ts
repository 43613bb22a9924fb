/**
 * Serves how far the reactions of a cluster are, as far as this node knows, and what operators do about events whose
 * effect fails (Reaction/Steering.ts).
 */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { notFound, type Problem, problem } from "../Problem.ts"
import { eventId } from "../Projection/Event.ts"
import type { Stumbled } from "../Reaction/Position.ts"
import type { ReactionStatus, Reactions } from "../Reaction/Reactions.ts"
import type { SteeringRefused } from "../Reaction/Steering.ts"
import { noFlags, readBody } from "./AdminRoutes.ts"
import { type Acting, operating, viewing } from "./OperatorRoutes.ts"
import { problemOfFailure } from "./Outcomes.ts"

/** The path of the reactions, and of one. */
export const reactionsPath = "/_admin/api/reactions"
export const reactionPath = "/_admin/api/reactions/:reaction"

/** The name of an event, as `Projection.eventId` makes it. */
const EventName = Schema.String.check(Schema.isPattern(/^(0|[1-9]\d{0,14})\.(0|[1-9]\d{0,4})$/u)).annotate({
  description: "The event, as `stumbles.at` or `parked[].at` names it"
})

/** The body by which an operator steers a reaction. */
export const Steering = Schema.Struct({
  action: Schema.Literals(["skip", "park", "retry"]).annotate({
    description:
      "skip: give the event up for ever. park: put it aside and go on. retry: try it at once, also if it is parked"
  }),
  at: EventName
}).annotate({ identifier: "lithair.ReactionSteering" })

const failed = { at: Schema.String, sinceMs: Schema.Int, failure: Schema.String }

/** A reaction as a node shows it. */
export const ShownReaction = Schema.Struct({
  name: Schema.String,
  running: Schema.Boolean,
  index: Schema.Int,
  lag: Schema.Int,
  failure: Schema.optionalKey(Schema.String),
  stumbles: Schema.optionalKey(Schema.Struct(failed)),
  parked: Schema.Array(Schema.Struct({ ...failed, due: Schema.Boolean }))
}).annotate({ identifier: "lithair.Reaction" })

const statusOf = (status: ReactionStatus): typeof ShownReaction.Type => {
  const { failure, index, isRunning, lagCount, name, parked, stumbled } = status
  return {
    name,
    running: isRunning,
    index,
    lag: lagCount,
    ...(failure === undefined ? {} : { failure }),
    ...(stumbled === undefined ? {} : { stumbles: failedOf(stumbled) }),
    parked: parked.map((each) => ({ ...failedOf(each), due: each.isDue }))
  }
}

const failedOf = ({ failure, index, ordinal, sinceMs }: Omit<Stumbled, "retriesCount">) => ({
  at: eventId({ index, ordinal }),
  sinceMs,
  failure
})

const problemOf = (refused: SteeringRefused): Problem =>
  refused.reason === "unknownReaction"
    ? notFound(refused.message)
    : problem("reaction-refused", refused.message, { reason: refused.reason, definite: true })

/** Makes the routes of reactions. */
export const reactionRoutes = (reactions: Reactions["Service"]) => {
  const steer = Effect.fnUntraced(function* ({ note }: Acting) {
    yield* noFlags
    const { action, at } = yield* readBody(Steering)
    note({ action, at })
    const name = (yield* HttpRouter.params).reaction ?? ""
    const [index = 0, ordinal = 0] = at.split(".").map(Number)
    yield* reactions
      .steer(name, action, { index, ordinal })
      .pipe(
        Effect.mapError((met) => (met._tag === "SteeringRefused" ? problemOf(met) : problemOfFailure(met, undefined)))
      )
    const now = reactions.status().find((each) => each.name === name)
    return HttpServerResponse.jsonUnsafe(now === undefined ? {} : statusOf(now))
  })
  return [
    viewing(
      reactionsPath,
      Effect.map(noFlags, () => HttpServerResponse.jsonUnsafe({ items: reactions.status().map(statusOf) }))
    ),
    operating("POST", reactionPath, steer)
  ] as const
}
