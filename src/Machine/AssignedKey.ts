/**
 * The dated key (DatedKey.ts) that a node assigns to a write without one. Pure. C17. A client learns of it only if the
 * outcome of its write is unknown.
 */
import { createHash } from "node:crypto"
import type { Origin } from "./Command.ts"
import * as DatedKey from "./DatedKey.ts"

/**
 * Gives keys to commands that have none, during one life of a node. `life` differs from that of every other life, of
 * this node and of others. A key holds the fingerprint of its request, so the command needs none beside it.
 */
export const giver = (options: { readonly life: string; readonly isOfNode: boolean }) => {
  let count = 0
  return <O extends Origin>(origin: O, afterIndex: number): O => {
    if (origin.key !== undefined) return origin
    const { fingerprint, ...rest } = origin
    const unique = `${options.life}-${(count++).toString(36)}`
    return { ...rest, assignedKey: DatedKey.make({ ...options, afterIndex, unique, fingerprint }) } as O
  }
}

/**
 * The name of one life of a node: 48 bits of a digest of the node, and the number of its starts. It leaves room in a key
 * for any count.
 */
export const lifeOf = (node: { readonly nodeId: string; readonly instanceId: string }, life: number): string => {
  const who = createHash("sha256").update(JSON.stringify([node.nodeId, node.instanceId]))
  return `${who.digest("hex").slice(0, 12)}-${life.toString(36)}`
}
