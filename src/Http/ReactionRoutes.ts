/** Serves how far the reactions of a cluster are, as far as this node knows, for operators. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { ReactionStatus, Reactions } from "../Reaction/Reactions.ts"

const statusOf = ({ failure, index, isRunning, lagCount, name }: ReactionStatus) => ({
  name,
  running: isRunning,
  index,
  lag: lagCount,
  ...(failure === undefined ? {} : { failure })
})

export const reactionRoutes = (reactions: Reactions["Service"]) =>
  [
    HttpRouter.route(
      "GET",
      "/_admin/api/reactions",
      Effect.sync(() => HttpServerResponse.jsonUnsafe({ items: reactions.status().map(statusOf) }))
    )
  ] as const
