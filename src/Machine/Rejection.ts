/** Why a command was not done: no event, nothing changed. Pure JSON data, since an entry may carry it. */
import type { Schema } from "effect"
import type { FieldError } from "../Model/FieldError.ts"

/** A declared error as JSON: its tag, and its fields beside it. */
export interface DeclaredError {
  readonly _tag: string
  readonly [field: string]: Schema.Json
}

/** A refused command. `operation` is the position in a `Transact` of the operation that was refused. */
export type Rejection = { readonly operation?: number } & (
  | { readonly _tag: "InvalidRequest"; readonly errors: ReadonlyArray<FieldError> }
  | { readonly _tag: "NotFound"; readonly model: string; readonly id?: string }
  | { readonly _tag: "AlreadyExists"; readonly model: string; readonly id: string }
  | { readonly _tag: "UniqueViolation"; readonly model: string; readonly field: string }
  /** `rule` is the name of the problem that the model declares for it. */
  | { readonly _tag: "RuleBroken"; readonly model: string; readonly rule: string; readonly message: string }
  /** Only commands do this to the model's records. */
  | { readonly _tag: "CommandOnly"; readonly model: string }
  /** Nobody changes or deletes the model's records. */
  | { readonly _tag: "AppendOnly"; readonly model: string }
  /** The record's `field` names a record of `target` that is not there. */
  | {
      readonly _tag: "ReferenceMissing"
      readonly model: string
      readonly field: string
      readonly target: string
      readonly id: string
    }
  /** The record cannot be deleted: `by` refers to it, the first of those that do. */
  | {
      readonly _tag: "Referenced"
      readonly model: string
      readonly id: string
      readonly by: { readonly model: string; readonly field: string; readonly id: string }
    }
  /** `currentVersion` is null where there is no record. */
  | { readonly _tag: "VersionConflict"; readonly currentVersion: number | null }
  | { readonly _tag: "TooLarge"; readonly limit: "bytes" | "events" | "steps"; readonly max: number }
  /** The idempotency key came with another request before. */
  | { readonly _tag: "KeyReused" }
  /** Too many idempotency keys are held; it was certainly not done, and may be tried later. */
  | { readonly _tag: "KeysExhausted" }
  /** The idempotency key was closed before any copy of the request was done: none ever will be. */
  | { readonly _tag: "KeyClosed" }
  /** What became of the first request with this key can no longer be told; this copy of it was not done. */
  | { readonly _tag: "KeyExpired" }
  /** The deciding node's code has a newer version of the model than is active: not all nodes have it yet. */
  | { readonly _tag: "UpgradePending"; readonly model: string }
  /** This release cannot read the record as it is stored. */
  | {
      readonly _tag: "RecordUnreadable"
      readonly model: string
      readonly id: string
      readonly errors: ReadonlyArray<FieldError>
    }
  /** The deciding node's code does not know the model, or an older version of it than the tables hold. */
  | { readonly _tag: "UpgradeRequired"; readonly model: string }
  /** The deciding node's code has no such command: it is older than that of the node which was asked. */
  | { readonly _tag: "UnknownCommand"; readonly command: string }
  /** A declared command says no, by an error that it declares. */
  | { readonly _tag: "Declared"; readonly command: string; readonly error: DeclaredError }
  /** The handler of a declared command threw, or did not end at once: a mistake in it, which the node's log tells. */
  | { readonly _tag: "CommandFailed"; readonly command: string }
)
