/** What a client is told of its command, by whichever log decided it. Pure JSON data: a peer carries it as it is. */
import type { Answer, Decision } from "./decide.ts"
import { isKeyClosed } from "./decideKey.ts"
import type { Rejection } from "./Rejection.ts"
import type { KeptOutcome } from "./Sessions.ts"

/**
 * What a command did, or why it was not done. `replayedIndex` is there when it was done or refused before, and is the
 * entry that remembers so: this attempt is a copy with the same idempotency key.
 */
export type CommandResult = { readonly replayedIndex?: number } & (
  | { readonly _tag: "Accepted"; readonly answer: Answer }
  | { readonly _tag: "Rejected"; readonly rejection: Rejection }
)

/**
 * Whether a result says what became of every copy of a keyed request. What was done does, and so does a refusal that the
 * key remembers: either it is an entry itself, or an earlier entry with the key decided it. Any other refusal appended
 * nothing: a copy sent before may have been done, or may be done yet, by the same leader or another.
 */
export const holdsForCopies = (result: CommandResult): boolean =>
  result._tag === "Accepted" || result.replayedIndex !== undefined || isRemembered(result.rejection)

const isRemembered = ({ _tag }: Rejection): boolean => {
  switch (_tag) {
    case "InvalidRequest":
    case "NotFound":
    case "AlreadyExists":
    case "UniqueViolation":
    case "RuleBroken":
    case "CommandOnly":
    case "AppendOnly":
    case "ReferenceMissing":
    case "Referenced":
    case "VersionConflict":
    case "TooLarge":
    case "Declared":
    // The key has the outcome of another request, or was closed: no copy of this one was done, and none will be.
    case "KeyReused":
    case "KeyClosed":
      return true
    // Another leader may know the model or the command, or have room for the key.
    case "UpgradeRequired":
    case "UnknownCommand":
    case "KeysExhausted":
    // It is an entry where a handler threw, and none where deciding itself did: its replay tells.
    case "CommandFailed":
    // The first copy may have been done, and forgotten since.
    case "KeyExpired":
      return false
  }
}

/** A copy whose outcome only the entry at `replayedIndex` tells: whoever has the log reads it, and says what it says. */
export interface Logged {
  readonly _tag: "Logged"
  readonly replayedIndex: number
}

/** The result of a decision, true once what it rests on is durable. */
export const resultOf = (decision: Decision): CommandResult | Logged => {
  switch (decision._tag) {
    case "Logged":
      return decision
    case "Accepted":
      return { _tag: "Accepted", answer: decision.answer }
    case "Unchanged":
      return { _tag: "Accepted", answer: decision.answer, ...replayed(decision.replayedIndex) }
    case "Rejected":
      return { _tag: "Rejected", rejection: decision.rejection, ...replayed(decision.replayedIndex) }
  }
}

/** What a copy is told of an entry that was read; undefined where the entry is compacted away. */
export const recalled = (outcome: KeptOutcome | undefined, replayedIndex: number): CommandResult => {
  if (outcome === undefined) return { _tag: "Rejected", rejection: { _tag: "KeyExpired" } }
  return { ...outcome, ...replayed(isKeyClosed(outcome) ? undefined : replayedIndex) }
}

const replayed = (replayedIndex: number | undefined) => (replayedIndex === undefined ? {} : { replayedIndex })
