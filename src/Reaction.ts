/** Effects that follow events: run on the leader, at least once for each, going on after a change of the leader. */
export { make, type Reaction, type ReactionOptions } from "./Reaction/Definition.ts"
export { ReactionFailed } from "./Reaction/Leading.ts"
export { layer, type ReactionStatus, Reactions } from "./Reaction/Reactions.ts"
