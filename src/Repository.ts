/** Use a cluster by its models, commands and projections: the same on a node, by `Lithair.layer`, and elsewhere, by `Client.layer`. */

export { Acting, as } from "./Client/Acting.ts"
export {
  type Change,
  create,
  type Done,
  type DoneAll,
  type IfVersion,
  patch,
  put,
  remove,
  type Transact
} from "./Client/Change.ts"
export type {
  Bookmark,
  ChangesOptions,
  FollowChanges,
  FollowSeveral,
  Position,
  RecordTold,
  Several,
  Told,
  ToldOf
} from "./Client/ChangeStream.ts"
export {
  isProblem,
  NoAnswer,
  type ProblemOf,
  type ReadFailure,
  Unreadable,
  type WriteFailure
} from "./Client/Failure.ts"
export type { HistoryOptions, HistoryPage, Moment, Past } from "./Client/History.ts"
export type { ListOptions, Where } from "./Client/ListOptions.ts"
export type { FollowLive, LiveOptions, LivePage } from "./Client/LivePage.ts"
export type {
  ChangeOptions,
  ConditionalOptions,
  ModelRepository,
  Page,
  Versioned
} from "./Client/ModelRepository.ts"
export type { ReadOptions } from "./Client/ReadOptions.ts"
export { make, Repository } from "./Client/Repository.ts"
export type { States, StatesOptions, StatesPage } from "./Client/States.ts"
export type { OperationAnswer } from "./Http/OperationAnswer.ts"
export { Problem } from "./Problem.ts"
export { UnknownOutcome } from "./Raft/node/Outcome.ts"
