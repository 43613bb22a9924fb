/** The reactions of one node. They run only while this node leads. */
import { Context, Effect, Layer } from "effect"
import { Member } from "../Cluster/Member.ts"
import type { Reaction } from "./Definition.ts"
import * as Leading from "./Leading.ts"
import * as Led from "./Led.ts"

/** The progress of a reaction: exact on the leader, the last recorded position on other nodes. */
export interface ReactionStatus extends Led.LedStatus {}

/** The reactions of this node: how far each is, and what an operator does about an event of one. */
export class Reactions extends Context.Service<Reactions, Led.Led>()("lithair/Reaction/Reactions") {}

/** Runs reactions beside a member until the scope closes. */
export const make = Effect.fnUntraced(function* <R>(reactions: ReadonlyArray<Reaction<R>>, member: Led.Leader) {
  const followers = reactions.map(
    (reaction): Led.Follower<R> => ({
      name: reaction.name,
      recordId: reaction.name,
      lead: (watcher) => Leading.lead(reaction, member, watcher)
    })
  )
  return Reactions.of(yield* Led.make("reaction", followers, member))
})

/** Runs the reactions of a node. Its member must also have the internal model of positions (`descriptor` in Position.ts). */
export const layer = <R>(reactions: ReadonlyArray<Reaction<R>>): Layer.Layer<Reactions, never, Member | R> =>
  Layer.effect(
    Reactions,
    Effect.flatMap(Member, (member) => make(reactions, member))
  )
