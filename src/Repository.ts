/** Use the records of a node's models from its own code, beside its HTTP API. */
export { type Called, type CallFailure, Commands } from "./Repository/Commands.ts"
export { type Changed, Records, Refused } from "./Repository/Records.ts"
