/** Declare a transaction over models, as a command that clients call by its name, and say what it does. */
export { Caller } from "./Command/Caller.ts"
export { type Any, type Command, type ErrorClass, make, type ValueSchema } from "./Command/Declaration.ts"
export { type Handle, type Handler, type HandlerOf, layer } from "./Command/Handler.ts"
export {
  type ListOptions,
  listMax,
  type ModelClass,
  type NewRow,
  NotFound,
  OperationRefused,
  type Row,
  type RowPatch,
  Transaction,
  type TransactionOf
} from "./Command/Transaction.ts"
