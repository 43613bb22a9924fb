/** Why a command was not done: no event, nothing changed. Pure JSON data, since an entry may carry it. */
import type { FieldError } from "../Model.ts"

/** A refused command. `operation` is the position in a `Transact` of the operation that was refused. */
export type Rejection = { readonly operation?: number } & (
  | { readonly _tag: "InvalidRequest"; readonly errors: ReadonlyArray<FieldError> }
  | { readonly _tag: "NotFound"; readonly model: string; readonly id?: string }
  | { readonly _tag: "AlreadyExists"; readonly model: string; readonly id: string }
  | { readonly _tag: "UniqueViolation"; readonly model: string; readonly field: string }
  /** `currentVersion` is null where there is no record. */
  | { readonly _tag: "VersionConflict"; readonly currentVersion: number | null }
  | { readonly _tag: "TooLarge"; readonly limit: "bytes" | "events"; readonly max: number }
  /** The idempotency key came with another request before. */
  | { readonly _tag: "KeyReused" }
  /** Too many idempotency keys are held; it was certainly not done, and may be tried later. */
  | { readonly _tag: "KeysExhausted" }
  /** The tables hold what only newer code of this model may change. */
  | { readonly _tag: "UpgradeRequired"; readonly model: string }
)
