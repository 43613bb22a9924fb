/** Use a cluster from another program or a browser, typed by its models, commands and projections. */

export { Client, layer, make } from "./Client/Client.ts"
export { isProblem, NoAnswer, Unreadable } from "./Client/Failure.ts"
export type { ListOptions } from "./Client/ListQuery.ts"
export type { ReadOptions } from "./Client/Reading.ts"
export type { ModelRecords, Page, ReadFailure, WriteFailure } from "./Client/Records.ts"
export type { ClientOptions } from "./Client/Sending.ts"
export type { States, StatesOptions, StatesPage } from "./Client/States.ts"
export {
  create,
  type Done,
  type DoneAll,
  type IfVersion,
  type Operation,
  patch,
  put,
  remove,
  type Transact
} from "./Client/Transacting.ts"
export { Problem } from "./Problem.ts"
export { UnknownOutcome } from "./Raft/node/Outcome.ts"
