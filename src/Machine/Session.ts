/** The memory of a request with a client's key. Pure data. C17. */
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
  /** Undefined if it is too large to be kept. */
  readonly outcome: KeptOutcome | undefined
}

/** Whether this is the outcome of closing a key, and not of a request. */
export const isKeyClosed = (outcome: KeptOutcome): boolean =>
  outcome._tag === "Rejected" && outcome.rejection._tag === "KeyClosed"
