/** Declare a model: its fields, where each is kept, what is unique, its version and path. */
export { Class, type Described, describe, type Mode, type ModelClass, type Options } from "./Model/Class.ts"
export type { Descriptor, EncodedRecord, FieldError, FieldSchema, Validate } from "./Model/Descriptor.ts"
export {
  decimal,
  type Field,
  type IdField,
  id,
  type LocalField,
  local,
  type ReplicatedField,
  replicate
} from "./Model/Field.ts"
