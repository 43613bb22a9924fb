/** Use the records of a node's models from its own code, beside its HTTP API. */

export { type Called, type CallFailure, Commands } from "./Repository/Commands.ts"
export { type Consistency, linearizable, NotCaughtUp, type ReadFailure, TooStale } from "./Repository/Freshness.ts"
export { InvalidValue, type ListOptions, type Where } from "./Repository/ListOptions.ts"
export {
  type ChangeOptions,
  type ConditionalOptions,
  type ModelRepository,
  make,
  type Page,
  type Versioned
} from "./Repository/ModelRepository.ts"
export { type Changed, type ChangeFailure, Records, Refused } from "./Repository/Records.ts"
