/** What a change of one record asks for, what it came to, or why it was refused; by whichever log decided it. */
import { Data } from "effect"
import type { LocalNotDone, LocalUnknownOutcome } from "../Local/LocalOutcome.ts"
import type { Operation, Origin } from "../Machine/Command.ts"
import type { OperationAnswer } from "../Machine/decide.ts"
import type { LocalPart } from "../Machine/LocalParts.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { EncodedRecord } from "../Model/Descriptor.ts"
import { answerBy, type Problem, responds } from "../Problem.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Asked, problemOfRejection } from "./RejectionProblem.ts"

/** A command was decided, and the decision is not to do it: nothing changed. */
export class Refused extends Data.TaggedError("Refused")<{
  readonly rejection: Rejection
  /** The index of the replicated log that it reflects; undefined where this node's own data decided. */
  readonly logIndex?: number | undefined
  readonly isReplayed?: boolean
}> {
  override get message(): string {
    return `The command was refused: ${this.rejection._tag}`
  }
  /** `key` is the idempotency key that the request came with, if any. */
  toProblem(key?: string, asked?: Asked): Problem {
    return problemOfRejection(this.rejection, key, asked)
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** Why a change was not confirmed; the names say whether it is certainly not done. */
export type ChangeFailure = Refused | NotDone | UnknownOutcome | LocalNotDone | LocalUnknownOutcome

/** A record as this node shows it. */
export interface Shown {
  readonly record: EncodedRecord
  readonly version: number
  /** How often this node's part of it was written; undefined where it holds none. */
  readonly localRevision: number | undefined
}

/** What a change came to. */
export interface Changed extends Shown {
  readonly model: string
  readonly id: string
  readonly change: OperationAnswer["change"]
  /** The index of the replicated log that it reflects; undefined for a change of this node's own data. */
  readonly logIndex: number | undefined
  /** The replicated part is done, this node's part of it could not be written. */
  readonly isLocalPartLost: boolean
  /** It was done before: this is a copy with the same idempotency key, and changed nothing. */
  readonly isReplayed: boolean
}

/** A change, with a condition on what this node shows for where only its own data changes. */
export type Change = Operation & Origin & { readonly holds?: (current: Shown | undefined) => boolean }

/** A record with this node's part of it. */
export const shown = (record: EncodedRecord, version: number, part: LocalPart | undefined): Shown => ({
  record,
  version,
  localRevision: part?.revision
})

/** What the operation of a command came to, with this node's part of the record. */
export const changed = (
  done: OperationAnswer & { readonly logIndex?: number | undefined; readonly isReplayed: boolean },
  part: LocalPart | undefined
): Changed => ({
  ...shown({ ...done.record, ...part?.data }, done.version, part),
  model: done.model,
  id: done.id,
  change: done.change,
  logIndex: done.logIndex,
  isLocalPartLost: false,
  isReplayed: done.isReplayed
})

/** What is decided elsewhere travels without what only this node can ask. */
export const withoutCondition = ({ holds: _, ...operation }: Change): Operation & Origin => operation
