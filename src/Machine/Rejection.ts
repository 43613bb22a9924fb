/** The reason why a command was not done and changed nothing. Pure JSON data, since an entry may carry it. */
import type { Schema } from "effect"
import type { Action } from "../Access/Rule.ts"
import type { FieldError } from "../Model/FieldError.ts"

/** A declared error as JSON: its tag and its fields. */
export interface DeclaredError {
  readonly _tag: string
  readonly [field: string]: Schema.Json
}

/** The reason. `operation` is the position of the refused operation in a `Transact`. */
export type Rejection = { readonly operation?: number } & (
  | { readonly _tag: "InvalidRequest"; readonly errors: ReadonlyArray<FieldError> }
  | { readonly _tag: "NotFound"; readonly model: string; readonly id?: string }
  | { readonly _tag: "AlreadyExists"; readonly model: string; readonly id: string }
  | { readonly _tag: "UniqueViolation"; readonly model: string; readonly field: string }
  /** `rule` is the name of the problem that the model declares. */
  | { readonly _tag: "RuleBroken"; readonly model: string; readonly rule: string; readonly message: string }
  /** The caller showed no credential, or one that counts no more. `of` and `action` say what a rule denied. */
  | {
      readonly _tag: "Unauthenticated"
      readonly isSpent?: true
      readonly of?: string
      readonly action?: Action | "run"
    }
  /** The rules of the model, or of the command, do not let the caller do this. */
  | { readonly _tag: "Forbidden"; readonly of: string; readonly action: Action | "run" }
  /** A set of the caller has too many members to compare with. */
  | { readonly _tag: "SetTooLarge"; readonly name: string; readonly max: number }
  /** Only declared commands may do this to the model's records. */
  | { readonly _tag: "CommandOnly"; readonly model: string }
  /** Nobody may change or delete the model's records. */
  | { readonly _tag: "AppendOnly"; readonly model: string }
  /** The record's `field` names a record of `target` that does not exist. */
  | {
      readonly _tag: "ReferenceMissing"
      readonly model: string
      readonly field: string
      readonly target: string
      readonly id: string
    }
  /** The record cannot be deleted, since `by` refers to it. Other records may refer to it too. */
  | {
      readonly _tag: "Referenced"
      readonly model: string
      readonly id: string
      /** Absent if the caller may not read that record. */
      readonly by?: { readonly model: string; readonly field: string; readonly id: string }
    }
  /** `currentVersion` is null if there is no record. */
  | { readonly _tag: "VersionConflict"; readonly currentVersion: number | null }
  | { readonly _tag: "TooLarge"; readonly limit: "bytes" | "events" | "steps"; readonly max: number }
  /** The idempotency key came with another request before. */
  | { readonly _tag: "KeyReused" }
  /** The cluster holds too many idempotency keys. The command was certainly not done; try it again later. */
  | { readonly _tag: "KeysExhausted" }
  /** The holder has too many opaque keys in the memory of keys. The command was certainly not done. */
  | { readonly _tag: "KeyQuota" }
  /** The idempotency key was closed before any copy of the request was done. No copy will ever be done. */
  | { readonly _tag: "KeyClosed" }
  /** The outcome of the first request with this key is forgotten. This copy was not done. */
  | { readonly _tag: "KeyExpired" }
  /** The request with this key was done or refused, and its outcome held data that was erased since. This copy did nothing. */
  | { readonly _tag: "OutcomeErased" }
  /** The deciding node's code has a newer version of the model than is active: not all nodes have it yet. */
  | { readonly _tag: "UpgradePending"; readonly model: string }
  /** This release cannot read the record as it is stored. */
  | {
      readonly _tag: "RecordUnreadable"
      readonly model: string
      readonly id: string
      readonly errors: ReadonlyArray<FieldError>
    }
  /**
   * The deciding node's code does not know the model, or knows an older version than the tables hold. With
   * `isAskersRelease` the code of the node that was asked is the older one: another leader would refuse too.
   */
  | { readonly _tag: "UpgradeRequired"; readonly model: string; readonly isAskersRelease?: true }
  /** The deciding node's code has no such command, since it is older than the code of the node that was asked. */
  | { readonly _tag: "UnknownCommand"; readonly command: string }
  /** A declared command failed with an error that it declares. */
  | { readonly _tag: "Declared"; readonly command: string; readonly error: DeclaredError }
  /** The handler of a declared command threw, or did not end at once. The node's log has the mistake. */
  | { readonly _tag: "CommandFailed"; readonly command: string }
)
