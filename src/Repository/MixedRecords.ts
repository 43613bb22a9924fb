/**
 * Changes of records of which the cluster holds one part and each node its own. DESIGN D4: a node's part is appended to
 * its own log once the replicated change is known to be committed; a change of that part alone needs no quorum.
 */
import { Effect, Result, Semaphore } from "effect"
import type { LocalNode } from "../EventStore/LocalNode.ts"
import type { Operation, Origin } from "../Machine/Command.ts"
import type { OperationAnswer } from "../Machine/decide.ts"
import { join, split, visible } from "../Machine/LocalParts.ts"
import * as Sessions from "../Machine/Sessions.ts"
import { get } from "../Machine/Tables.ts"
import type { Descriptor, EncodedRecord } from "../Model.ts"
import type { Member } from "../Raft/Member.ts"
import {
  type Change,
  type Changed,
  type ChangeFailure,
  Refused,
  type Shown,
  shown,
  withoutCondition
} from "./Changed.ts"
import { howOf, isObject, keep, partOf } from "./MixedParts.ts"

/** What the cluster did of a change. */
export type Replicate = (
  operation: Operation & Origin
) => Effect.Effect<OperationAnswer & { readonly logIndex: number; readonly isReplayed: boolean }, ChangeFailure>

/** A mixed record as this node shows it. */
export const show = (
  node: { readonly member: Pick<Member["Service"], "tables">; readonly local: Pick<LocalNode["Service"], "tables"> },
  descriptor: Descriptor,
  id: string
): Shown | undefined => {
  const row = get(node.member.tables, descriptor.name, id)
  if (row === undefined) return undefined
  const part = visible(node.local.tables, { model: descriptor.name, id, createdIndex: row.createdIndex })
  return shown(join(row, part), row.version, part)
}

/** Changes mixed records of this node and its cluster. */
export const make = Effect.fnUntraced(function* (
  node: { readonly member: Member["Service"]; readonly local: LocalNode["Service"] },
  replicate: Replicate
) {
  const { local, member } = node
  /** A copy waits for the first. */
  const keyedOneAtATime = yield* Semaphore.make(1)

  /**
   * A change of nothing but this node's part of a record: it needs no quorum. To refuse it does: the record, or the
   * version that was asked for, may be committed and not applied here yet.
   */
  const changePart = Effect.fnUntraced(function* (
    descriptor: Descriptor,
    id: string,
    data: EncodedRecord,
    change: Change
  ) {
    const model = descriptor.name
    const holds = () => change.holds?.(show(node, descriptor, id)) !== false
    if (get(member.tables, model, id) === undefined || !holds()) yield* member.readIndex
    const row = get(member.tables, model, id)
    if (!holds()) {
      return yield* new Refused({ rejection: { _tag: "VersionConflict", currentVersion: row?.version ?? null } })
    }
    if (row === undefined) return yield* new Refused({ rejection: { _tag: "NotFound", model, id } })
    const { createdIndex, version } = row
    const request = { id, createdIndex, version, how: howOf(change), data, origin: originOf(change) }
    const { answer } = yield* local.setLocalPart({ descriptor, request })
    if (answer._tag === "Rejected") return yield* new Refused({ rejection: answer.rejection })
    return updated(descriptor, id, shown(join(row, answer.part), row.version, answer.part))
  })

  /** The same, with a client's key, which the entry of the part remembers. A refusal is not remembered, nor what was shown. */
  const changePartOnce = Effect.fnUntraced(function* (
    descriptor: Descriptor,
    id: string,
    data: EncodedRecord,
    change: Change & { readonly key: string }
  ) {
    const { tables } = local
    const refuse = (_tag: "KeyReused" | "KeyClosed" | "KeyExpired" | "KeysExhausted") =>
      new Refused({ rejection: { _tag } })
    const standing = yield* local.standing(change)
    if (standing._tag === "Closed") return yield* refuse("KeyClosed")
    if (standing._tag === "Expired") return yield* refuse("KeyExpired")
    const known = Sessions.find(tables, change, tables.logAgeMs)
    if (known === undefined) {
      if (Sessions.isFull(tables, tables.logAgeMs)) return yield* refuse("KeysExhausted")
      return yield* changePart(descriptor, id, data, change)
    }
    if (known._tag === "Expired") return yield* refuse("KeyExpired")
    if (!Sessions.isCopy(known, change)) return yield* refuse("KeyReused")
    const now = show(node, descriptor, id)
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
        const { id, key } = change
        if (key === undefined) return yield* changePart(descriptor, id, parts.local, change)
        return yield* keyedOneAtATime.withPermits(1)(changePartOnce(descriptor, id, parts.local, { ...change, key }))
      }
    }
    const parted = partOf(descriptor, withoutCondition(change))
    if (Result.isFailure(parted)) return yield* new Refused({ rejection: parted.failure })
    const { operation, own } = parted.success
    return yield* keep(local, descriptor, yield* replicate(operation), own)
  })
})

/** What a change of this node's part alone came to. */
const updated = ({ name: model }: Descriptor, id: string, after: Shown): Changed => ({
  ...after,
  model,
  id,
  change: "updated",
  logIndex: undefined,
  isLocalPartLost: false,
  isReplayed: false
})

/** Of a change no more than where it comes from. */
const originOf = ({ fingerprint, key, principal }: Change): Origin => ({
  ...(principal === undefined ? {} : { principal }),
  ...(key === undefined ? {} : { key }),
  ...(fingerprint === undefined ? {} : { fingerprint })
})
