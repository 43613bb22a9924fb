/**
 * Tells the leader through which erasure each member has carried out all, so that an operator can see when one is done.
 * Members tell it now and then, as long as something was ever erased. It is no part of the log: a member's own files say
 * it, and a new leader is told again.
 */
import { Effect } from "effect"
import { lastErasure } from "../Machine/Erasure.ts"
import type { Tables } from "../Machine/Tables.ts"
import { membersOf } from "../Raft/core/Configuration.ts"
import type { NodeId } from "../Raft/core/Message.ts"
import type { AnnounceErased, MemberErased, Order } from "./Order.ts"
import type { Node } from "./OrdersHere.ts"

/** How often a member looks whether it has something to tell, and how often it tells the same again. */
const lookEveryMs = 250
const repeatCount = 20
/** How long an announcement may take. */
const timeoutMs = 2_000

export interface ErasureProgress {
  /** Notes what another member tells. */
  readonly announced: (announce: AnnounceErased) => void
  /** The members, if this node leads. */
  readonly members: () => ReadonlyArray<MemberErased>
  /** Tells the leader. Never ends. */
  readonly follow: Effect.Effect<never>
}

export const make = (options: {
  readonly nodeId: NodeId
  readonly tables: () => Tables
  readonly erasedThrough: () => number
  readonly node: () => Node | undefined
  readonly leader: () => NodeId | undefined
  /** Sends an order to another node, and forgets its answer. */
  readonly send: (to: NodeId, order: Order, timeoutMs: number) => Effect.Effect<void>
}): ErasureProgress => {
  const { erasedThrough, leader, node, nodeId, send, tables } = options
  const heard = new Map<NodeId, number>()
  let told: { readonly to: NodeId; readonly throughIndex: number } | undefined
  let sinceTold = 0

  const look = Effect.suspend(() => {
    const to = leader()
    if (to === undefined || to === nodeId || lastErasure(tables()) === 0) return Effect.void
    const throughIndex = erasedThrough()
    sinceTold += 1
    if (told?.to === to && told.throughIndex === throughIndex && sinceTold < repeatCount) return Effect.void
    told = { to, throughIndex }
    sinceTold = 0
    return send(to, { _tag: "AnnounceErased", nodeId, throughIndex }, timeoutMs)
  })

  const members = () => membersOf(node()?.core.configuration ?? { voters: [], learners: [] })
  return {
    announced: ({ nodeId: id, throughIndex }) => {
      const ids = new Set(members().map((member) => member.id))
      if (ids.has(id)) heard.set(id, throughIndex)
      for (const former of heard.keys()) if (!ids.has(former)) heard.delete(former)
    },
    members: () =>
      members().map(({ id }) => ({ id, throughIndex: id === nodeId ? erasedThrough() : (heard.get(id) ?? 0) })),
    follow: Effect.forever(Effect.andThen(look, Effect.sleep(lookEveryMs)))
  }
}
