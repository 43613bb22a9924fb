/** Declare a model: its fields, where each is kept, what is unique, its version and path. */

export {
  Class,
  type Described,
  describe,
  type IdOf,
  type ModelClass
} from "./Model/Class.ts"
export { decimal } from "./Model/Decimal.ts"
export type { Descriptor, FieldSchema, Kept, Validate } from "./Model/Descriptor.ts"
export { type Dropped, dropped } from "./Model/Dropped.ts"
export type { EncodedRecord } from "./Model/EncodedRecord.ts"
export {
  type Field,
  type IdField,
  id,
  type LocalField,
  local,
  type ReplicatedField,
  replicate
} from "./Model/Field.ts"
export type { FieldError } from "./Model/FieldError.ts"
export {
  commandOnly,
  type GuardedField,
  type HiddenField,
  hidden,
  type Initial,
  type MaskedField,
  masked,
  owner
} from "./Model/GuardedField.ts"
export { from, type JsonOf, type Lift, type Steps } from "./Model/Lift.ts"
export type { Mode, Moded, Options, ReferenceOption } from "./Model/Options.ts"
export type { RowClass } from "./Model/RowCodecs.ts"
export type { BrokenRule, Reference, Rule, Rules, Writes } from "./Model/Rules.ts"
