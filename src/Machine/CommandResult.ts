/** The result of a command, from either log. Pure JSON data: `decide` makes it, and all rooms and peers pass it on. */
import type { Answer } from "./Answer.ts"
import type { Rejection } from "./Rejection.ts"
import { isKeyClosed, type KeptOutcome } from "./Session.ts"

interface Replayed {
  /** Present for a copy with the same idempotency key: the entry at this index remembers the first outcome. */
  readonly replayedIndex?: number
}

/** What a command did. */
export interface Accepted extends Replayed {
  readonly _tag: "Accepted"
  readonly answer: Answer
}

/** Why a command was not done. */
export interface Rejected extends Replayed {
  readonly _tag: "Rejected"
  readonly rejection: Rejection
}

/** What a command did, or why it was not done. */
export type CommandResult = Accepted | Rejected

/**
 * Whether a result covers every copy of a keyed request. A success does. So does a refusal that the key remembers, in
 * an entry of its own or an earlier one. Any other refusal appended nothing: an earlier copy may have been done, or may
 * still be done, by this leader or another.
 */
export const holdsForCopies = (result: CommandResult): boolean =>
  result._tag === "Accepted" || result.replayedIndex !== undefined || isRemembered(result.rejection)

/** A leader of a later release may refuse in a way that this release does not know: that covers no other copy. */
const isRemembered = ({ _tag }: Rejection): boolean => {
  switch (_tag) {
    case "InvalidRequest":
    case "NotFound":
    case "AlreadyExists":
    case "Forbidden":
    case "SetTooLarge":
    case "UniqueViolation":
    case "RuleBroken":
    case "CommandOnly":
    case "AppendOnly":
    case "ReferenceMissing":
    case "Referenced":
    case "VersionConflict":
    case "TooLarge":
    case "Declared":
    // The key has the outcome of another request, or was closed: no copy of this request was done, and none will be.
    case "KeyReused":
    case "KeyClosed":
    // The first copy had an outcome for good. Only what it was is gone.
    case "OutcomeErased":
      return true
    // Another leader may know the model or the command, read the record, or have room for the key.
    case "UpgradeRequired":
    case "UnknownCommand":
    case "RecordUnreadable":
    case "UpgradePending":
    case "KeysExhausted":
    case "KeyQuota":
    // A handler that throws leaves an entry, and a throw in deciding leaves none: `replayedIndex` tells.
    case "CommandFailed":
    // The first copy may have been done, and forgotten since, or while the credential still counted.
    case "Unauthenticated":
    case "KeyExpired":
      return false
    default:
      _tag satisfies never
      return false
  }
}

/** A copy whose outcome only the entry at `replayedIndex` holds. The caller reads the log, and answers from it. */
export interface Logged {
  readonly _tag: "Logged"
  readonly replayedIndex: number
}

/** The result for a copy, from the entry that was read; undefined if the entry is compacted away. */
export const recalled = (outcome: KeptOutcome | undefined, replayedIndex: number): CommandResult => {
  if (outcome === undefined) return { _tag: "Rejected", rejection: { _tag: "KeyExpired" } }
  return isKeyClosed(outcome) ? outcome : { ...outcome, replayedIndex }
}
