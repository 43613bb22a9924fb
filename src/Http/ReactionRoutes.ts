/** Serves how far the reactions of a cluster are, as far as this node knows, and what operators do about one. */
import { Schema } from "effect"
import type { ReactionStatus, Reactions } from "../Reaction/Reactions.ts"
import { eventsOfStatus, shownEvents, steeringRoutes } from "./Steering.ts"

/** The path of the reactions, and of one. */
export const reactionsPath = "/_admin/api/reactions"
export const reactionPath = "/_admin/api/reactions/:reaction"

/** A reaction as a node shows it. */
export const ShownReaction = Schema.Struct({
  name: Schema.String,
  running: Schema.Boolean,
  index: Schema.Int,
  lag: Schema.Int,
  failure: Schema.optionalKey(Schema.String),
  ...shownEvents
}).annotate({ identifier: "lithair.Reaction" })

const shown = (status: ReactionStatus): typeof ShownReaction.Type => {
  const { failure, index, isRunning, lagCount, name } = status
  return {
    name,
    running: isRunning,
    index,
    lag: lagCount,
    ...(failure === undefined ? {} : { failure }),
    ...eventsOfStatus(status)
  }
}

/** Makes the routes of reactions. */
export const reactionRoutes = (reactions: Reactions["Service"]) =>
  steeringRoutes(reactions, { all: reactionsPath, one: reactionPath, param: "reaction", shown })
