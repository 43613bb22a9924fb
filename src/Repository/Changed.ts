/** A change of one record, its result, and its refusal, for both of a node's logs. */
import { Data, Result } from "effect"
import type { OperationAnswer } from "../Machine/Answer.ts"
import type { Operation, Origin } from "../Machine/Command.ts"
import type { CommandResult } from "../Machine/CommandResult.ts"
import type { LocalPart } from "../Machine/LocalPart.ts"
import { shownPart } from "../Machine/LocalParts.ts"
import type { Rejection } from "../Machine/Rejection.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { answerBy, type Problem, responds } from "../Problem.ts"
import type { Answered } from "../Raft/node/Answered.ts"
import type { NotDone, UnknownOutcome } from "../Raft/node/Outcome.ts"
import { type Asked, problemOfRejection } from "./RejectionProblem.ts"

/** The machine decided not to do a command: nothing changed. `rejection` says why; `toProblem` makes the client's problem. */
export class Refused extends Data.TaggedError("Refused")<Partial<Reflected> & { readonly rejection: Rejection }> {
  override get message(): string {
    return `The command was refused: ${this.rejection._tag}`
  }
  /** `key` is the idempotency key of the request, if it had one. */
  toProblem(key?: string, asked?: Asked): Problem {
    return problemOfRejection(this.rejection, key, asked)
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** Why a change was not confirmed. Only `UnknownOutcome` leaves open whether it is done. */
export type ChangeFailure = Refused | NotDone | UnknownOutcome

/** A record as this node shows it. */
export interface Shown {
  readonly record: EncodedRecord
  readonly version: number
  /** The version of the model's shape that `record` has. */
  readonly modelVersion: number
  /** How often this node has written its part of the record; undefined if it holds none. */
  readonly localRevision: number | undefined
}

/** The part of a result that a client learns beside its contents. */
export interface Reflected {
  /** The index of the replicated log that the result reflects; undefined for this node's own data. */
  readonly logIndex: number | undefined
  /** An earlier request with the same idempotency key got this result: this copy changed nothing. */
  readonly isReplayed: boolean
}

/** The result of a change. */
export interface Changed extends Shown, Reflected {
  readonly model: string
  readonly id: string
  readonly change: OperationAnswer["change"]
  /** The replicated part is done, but the node could not write its own part. */
  readonly isLocalPartLost: boolean
}

/** A change. `holds` is a condition on the record as this node shows it, for changes of its own data. */
export type Change = Operation & Origin & { readonly holds?: (current: Shown | undefined) => boolean }

/** A record with this node's part of it. */
export const shown = (
  model: Pick<Descriptor, "version"> | undefined,
  record: EncodedRecord,
  version: number,
  part: LocalPart | undefined
): Shown => ({
  record,
  version,
  modelVersion: model?.version ?? 1,
  localRevision: part?.revision
})

/** The part of a log's answer that a client learns beside its contents. Records of `mode` are in that log. */
export const reflected = (mode: Descriptor["mode"], { index, result }: Answered<CommandResult>): Reflected => ({
  logIndex: mode === "local" ? undefined : index,
  isReplayed: result.replayedIndex !== undefined
})

/** The result of one operation, with this node's part of the record. */
export const changed = (
  descriptor: Descriptor | undefined,
  done: OperationAnswer,
  { isReplayed, logIndex }: Reflected,
  part: LocalPart | undefined
): Changed => ({
  ...shown(
    descriptor,
    descriptor === undefined ? done.record : shownRecord(descriptor, done, part),
    done.version,
    part
  ),
  model: done.model,
  id: done.id,
  change: done.change,
  logIndex,
  isLocalPartLost: false,
  isReplayed
})

/** An answer that the log remembered may be of another release. What this release cannot read is shown as it was. */
const shownRecord = (
  descriptor: Descriptor,
  { modelVersion = descriptor.version, record }: OperationAnswer,
  part: LocalPart | undefined
): EncodedRecord => {
  const read = descriptor.read.record({ modelVersion, data: record })
  return {
    ...Result.match(read, { onSuccess: ({ shown }) => shown, onFailure: () => record }),
    ...shownPart(descriptor, part)
  }
}

/** Removes the condition that only this node can check, before another node decides the change. */
export const withoutCondition = ({ holds: _, ...operation }: Change): Operation & Origin => operation
