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
import { isObject, keep, partOf } from "./MixedParts.ts"

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
    const request = { id, createdIndex: row.createdIndex, version: row.version, how: "patch", data } as const
    const { answer } = yield* local.setLocalPart({ descriptor, request })
    if (answer._tag === "Rejected") return yield* new Refused({ rejection: answer.rejection })
    return updated(descriptor, id, shown(join(row, answer.part), row.version, answer.part))
  })

  /**
   * The same, with a key. This node's own log remembers it in an entry after that of the part: a crash between the two
   * lets a copy merge the same patch once more. A refusal is not remembered, nor what the record was then.
   */
  const changePartOnce = Effect.fnUntraced(function* (
    descriptor: Descriptor,
    id: string,
    data: EncodedRecord,
    change: Change & { readonly key: string }
  ) {
    const { fingerprint, key, principal } = change
    const known = Sessions.find(local.tables, change, local.tables.logAgeMs)
    if (known?._tag === "Expired") return yield* new Refused({ rejection: { _tag: "KeyExpired" } })
    if (known !== undefined && !Sessions.isCopy(known, change)) {
      return yield* new Refused({ rejection: { _tag: "KeyReused" } })
    }
    const now = known === undefined ? undefined : show(node, descriptor, id)
    if (now !== undefined) return { ...updated(descriptor, id, now), isReplayed: true }
    const done = yield* changePart(descriptor, id, data, change)
    const origin = {
      key,
      ...(fingerprint === undefined ? {} : { fingerprint }),
      ...(principal === undefined ? {} : { principal })
    }
    const { answer } = yield* local.submit({ _tag: "Transact", operations: [], ...origin })
    if (answer._tag === "Rejected") return yield* new Refused({ rejection: answer.rejection })
    return done
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
