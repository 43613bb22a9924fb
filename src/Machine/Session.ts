/** The memory of a request with an opaque key. Pure data. C17. */
import type { Answer } from "./Answer.ts"
import type { Rejection } from "./Rejection.ts"

/** The outcome of a command. */
export type KeptOutcome =
  | { readonly _tag: "Accepted"; readonly answer: Answer }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }

/** The outcome of the entry at `index`. */
export interface Session {
  readonly fingerprint: string | undefined
  readonly index: number
  readonly logAgeMs: number
  /** The command's name in its entry. */
  readonly command: string
  /** Its outcome as JSON, which costs a part of the memory of its objects. Undefined if it has no room: the entry tells it. */
  readonly outcome: string | undefined
  /** The bucket of its holder (KeyDigest.ts), from format 3 on. */
  readonly bucket?: number
}

/** Whether this is the outcome of closing a key, and not of a request. */
export const isKeyClosed = (outcome: KeptOutcome): boolean =>
  outcome._tag === "Rejected" && outcome.rejection._tag === "KeyClosed"
