/** Effects that the leader runs after events, at least once for each. A new leader goes on where the old one stopped. */
export { make, type Reaction, type ReactionOptions } from "./Reaction/Definition.ts"
export { ReactionFailed } from "./Reaction/Leading.ts"
export type { EventAt, Parked, Stumbled } from "./Reaction/Position.ts"
export { layer, type ReactionStatus, Reactions } from "./Reaction/Reactions.ts"
export { type Action, SteeringRefused } from "./Reaction/Steering.ts"
