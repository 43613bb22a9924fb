/**
 * Changes mixed records: the cluster holds one part and each node its own. A node appends its part to its own log once
 * the cluster has committed the rest. A change of the node's part alone needs no quorum.
 */
import { Clock, Effect, Result } from "effect"
import { anonymous } from "../Access/Caller.ts"
import { invariant } from "../Invariant.ts"
import type { Origin } from "../Machine/Command.ts"
import { guardOf, spent } from "../Machine/Guard.ts"
import { refusedOperation } from "../Machine/GuardedOperation.ts"
import { split, visible } from "../Machine/LocalParts.ts"
import { type RecordUnreadable, showRow, unreadable } from "../Machine/ReadRow.ts"
import { get } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { outcomeOf } from "../Raft/node/Settle.ts"
import {
  type Change,
  type Changed,
  type ChangeFailure,
  Refused,
  reflected,
  type Shown,
  shown,
  withoutCondition
} from "./Changed.ts"
import { keep, refusalOfPart } from "./KeptParts.ts"
import { heldPart, howOf, isObject, partOf } from "./MixedParts.ts"
import { isKnown } from "./OneKey.ts"
import { beginAt, type Logs, mayHaveKey, operationOf } from "./Submitting.ts"

/** The mixed record as this node shows it. */
export const show = (
  node: { readonly member: Pick<Logs["member"], "tables">; readonly local: Pick<Logs["local"], "tables"> },
  descriptor: Descriptor,
  id: string
): Result.Result<Shown | undefined, RecordUnreadable> => {
  const model = descriptor.name
  const row = get(node.member.tables, model, id)
  if (row === undefined) return absent
  const part = visible(node.local.tables, { model, id, createdIndex: row.createdIndex })
  return Result.map(Result.mapError(showRow(descriptor, row, part), unreadable({ model, id })), (record) =>
    shown(descriptor, record, row.version, part)
  )
}

const absent = Result.succeed(undefined)

/** Makes the changes of mixed records over both logs. */
export const make = (logs: Logs) => {
  const { local, member } = logs

  /**
   * Changes only this node's part of a record. Accepting needs no quorum; rejecting does, because the record, or the
   * version in its condition, may be committed and not applied here yet.
   */
  const changePart = Effect.fnUntraced(function* (
    descriptor: Descriptor,
    id: string,
    data: EncodedRecord,
    change: Change
  ) {
    const model = descriptor.name
    const origin = originOf(change)
    yield* mayChange(descriptor, change)
    const refusal = refusalOfPart(member.tables, descriptor)
    if (refusal !== undefined) return yield* new Refused({ rejection: refusal })
    if (isKnown(local.tables, origin)) return yield* copyOfPart(descriptor, id, origin)
    yield* mayHaveKey(origin, { own: local.tables, other: member.tables })
    const holds = () =>
      change.holds === undefined ||
      Result.match(show(logs, descriptor, id), { onSuccess: change.holds, onFailure: () => true })
    if (get(member.tables, model, id) === undefined || !holds()) yield* member.readIndex
    const row = get(member.tables, model, id)
    if (!holds()) {
      return yield* new Refused({ rejection: { _tag: "VersionConflict", currentVersion: row?.version ?? null } })
    }
    if (row === undefined) return yield* new Refused({ rejection: { _tag: "NotFound", model, id } })
    const { createdIndex, version } = row
    const request = { id, createdIndex, version, how: howOf(change), data }
    const { result } = yield* local.setLocalParts({ parts: [{ descriptor, request }], origin })
    if (result._tag === "Rejected") return yield* new Refused({ rejection: result.rejection })
    const [part] = result.parts
    const record = showRow(descriptor, row, part)
    if (Result.isFailure(record)) return yield* new Refused({ rejection: unreadable({ model, id })(record.failure) })
    return {
      ...updated(descriptor, id, shown(descriptor, record.success, row.version, part)),
      isReplayed: result.isReplayed
    }
  })

  /** The cluster does not decide this change, so its rules are asked here, on tables that are new enough. */
  const mayChange = Effect.fnUntraced(function* (descriptor: Descriptor, change: Change) {
    const guard = guardOf(member.policy, change.caller ?? anonymous)
    if (guard === undefined) return
    yield* member.readIndex
    const { tables } = member
    const table = tables.byModel.get(descriptor.name)
    invariant(table !== undefined, `model ${descriptor.name} has no table`)
    const rejection =
      spent(tables, guard, yield* Clock.currentTimeMillis) ??
      refusedOperation({ descriptor, guard, table, tables }, withoutCondition(change))
    if (rejection !== undefined) return yield* new Refused({ rejection })
  })

  /** Only the key decides: the log remembers neither a refusal of the change nor its result. */
  const copyOfPart = Effect.fnUntraced(function* (descriptor: Descriptor, id: string, origin: Origin) {
    const { result } = yield* local.setLocalParts({ parts: [], origin })
    if (result._tag === "Rejected") return yield* new Refused({ rejection: result.rejection })
    // The part was removed just now.
    if (!result.isReplayed) return yield* new Refused({ rejection: { _tag: "KeyExpired" } })
    const shown = show(logs, descriptor, id)
    if (Result.isFailure(shown)) return yield* new Refused({ rejection: shown.failure })
    const now = shown.success
    if (now === undefined) return yield* new Refused({ rejection: { _tag: "NotFound", model: descriptor.name, id } })
    return { ...updated(descriptor, id, now), isReplayed: true }
  })

  return Effect.fnUntraced(function* (
    descriptor: Descriptor,
    change: Change
  ): Effect.fn.Return<Changed, ChangeFailure> {
    if (change._tag === "Patch" && isObject(change.data)) {
      const parts = split(descriptor, change.data)
      if (Object.keys(parts.local).length > 0 && Object.keys(parts.replicated).length === 0) {
        return yield* changePart(descriptor, change.id, parts.local, change)
      }
    }
    const held = heldPart(logs, descriptor, change, change.caller ?? anonymous)
    const parted = partOf(descriptor, withoutCondition(change), held)
    if (Result.isFailure(parted)) return yield* new Refused({ rejection: parted.failure })
    const { operation, own } = parted.success
    const done = yield* outcomeOf(beginAt(descriptor.mode, logs, operation))
    const kept = [{ descriptor, answer: operationOf(done), own }]
    const [changed] = yield* keep(logs, kept, { ...reflected(descriptor.mode, done), origin: change })
    invariant(changed !== undefined, "a change was kept without an answer")
    return changed
  })
}

/** The result of a change of only this node's part. */
const updated = ({ name: model }: Descriptor, id: string, after: Shown): Changed => ({
  ...after,
  model,
  id,
  change: "updated",
  logIndex: undefined,
  isLocalPartLost: false,
  isReplayed: false
})

/** Only the key and fingerprint of a change. */
const originOf = ({ caller, fingerprint, key, principal }: Change): Origin => ({
  ...(caller === undefined ? {} : { caller }),
  ...(principal === undefined ? {} : { principal }),
  ...(key === undefined ? {} : { key }),
  ...(fingerprint === undefined ? {} : { fingerprint })
})
