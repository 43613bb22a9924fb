/**
 * Decides the commands by which nodes themselves bring a log to what their releases know: a format, a version of a model,
 * and records in that version; from where on they retain its history, and what they erase. Pure. docs/evolution.md.
 */
import { Result } from "effect"
import type { Answer } from "./Answer.ts"
import type { Activate, End, Forget as ForgetRecords, Lift, Origin, RaiseFormat, Retain, Upgrade } from "./Command.ts"
import type { Decision } from "./Decision.ts"
import { decideErasure } from "./decideErasure.ts"
import { known } from "./decideOperation.ts"
import type { Lifted } from "./Event.ts"
import * as Format from "./Format.ts"
import type { Rejection } from "./Rejection.ts"
import { type Stamp, transactionOf } from "./Stamp.ts"
import type { Tables } from "./Tables.ts"
import { encode, entryBytesMax, type Transaction } from "./Transaction.ts"

/** The part of the entry that upgrades the log; undefined if there is nothing to do. */
type Upgraded = Result.Result<
  | Partial<
      Pick<
        Transaction,
        | "format"
        | "activated"
        | "lifted"
        | "ended"
        | "forgotten"
        | "retainedFrom"
        | "events"
        | "erased"
        | "erasedOutcomes"
        | "evidence"
      >
    >
  | undefined,
  Rejection
>

/** Decides such a command. It is no client's, so its refusal is no entry. */
export const decideUpgrade = (tables: Tables, command: Upgrade & Origin, stamp: Stamp): Decision => {
  const upgraded = upgradedBy(tables, command)
  if (Result.isFailure(upgraded)) return reject(upgraded.failure)
  const answer: Answer = { timeMs: stamp.timeMs, operations: [] }
  if (upgraded.success === undefined) return { result: { _tag: "Accepted", answer }, entry: undefined }
  const transaction = { ...transactionOf(command, stamp, [], { _tag: "Accepted" }), ...upgraded.success }
  const payload = encode(transaction)
  if (payload.length > entryBytesMax) return reject({ _tag: "TooLarge", limit: "bytes", max: entryBytesMax })
  return { result: { _tag: "Accepted", answer }, entry: { transaction, payload } }
}

const reject = (rejection: Rejection): Decision => ({ result: { _tag: "Rejected", rejection }, entry: undefined })

const done: Upgraded = Result.succeed(undefined)

const upgradedBy = (tables: Tables, command: Upgrade): Upgraded => {
  switch (command._tag) {
    case "RaiseFormat":
      return raise(tables, command)
    case "Activate":
      return activate(tables, command)
    case "Lift":
      return lift(tables, command)
    case "End":
      return end(tables, command)
    case "Forget":
      return forget(tables, command)
    case "Retain":
      return retain(tables, command)
    case "Erase":
      return decideErasure(tables, command)
    case "Prove":
      return Result.succeed(
        tables.chain === undefined && Format.isFormatActive(tables, Format.proving) ? { evidence: "begins" } : undefined
      )
  }
}

/** History that is removed does not come back. */
const retain = (tables: Tables, { fromIndex }: Retain): Upgraded => {
  const isDone = !Format.isFormatActive(tables, Format.retaining) || fromIndex <= tables.retainedFrom
  return isDone ? done : Result.succeed({ retainedFrom: Math.min(fromIndex, tables.index) })
}

const raise = (tables: Tables, { format }: RaiseFormat): Upgraded =>
  Format.isFormatActive(tables, format) ? done : Result.succeed({ format })

/** The check of the records holds as long as none of them has changed since. */
const activate = (tables: Tables, { checkedIndex, model, version }: Activate): Upgraded => {
  const table = tables.byModel.get(model)
  if (table !== undefined && table.modelVersion >= version) return done
  return table !== undefined && table.changedIndex > checkedIndex
    ? Result.fail({ _tag: "UpgradePending", model })
    : Result.succeed({ activated: { [model]: version } })
}

/** The data is that of this node, so nodes agree on it even if a step is not a function. */
const lift = (tables: Tables, { ids, model }: Lift): Upgraded => {
  if (!Format.isFormatActive(tables, Format.lifting)) return done
  return Result.map(known(tables, model), ({ descriptor: { read, version }, table }) => {
    const lifted: Array<Lifted> = []
    for (const id of ids) {
      const row = table.rows.get(id)
      if (row === undefined || row.modelVersion >= version) continue
      const found = read.record(row)
      if (Result.isSuccess(found)) lifted.push({ model, modelVersion: version, id, data: found.success.kept })
    }
    return lifted.length === 0 ? undefined : { lifted }
  })
}

/** A model that never had a record has nothing to end. */
const end = (tables: Tables, { model }: End): Upgraded => {
  const table = tables.byModel.get(model)
  const isDone = table === undefined || table.modelVersion === 0 || table.isEnded
  return isDone || !Format.isFormatActive(tables, Format.lifting) ? done : Result.succeed({ ended: [model] })
}

const forget = (tables: Tables, { ids: asked, model }: ForgetRecords): Upgraded => {
  const table = tables.byModel.get(model)
  if (table?.isEnded !== true) return done
  const ids = asked.filter((id) => table.rows.has(id) || table.tombstones.has(id))
  return ids.length === 0 ? done : Result.succeed({ forgotten: { model, ids } })
}
