/** A simulated node takes snapshots, sends them in chunks, and stores chunks that come. The content is the machine's own. */
import { decodeConfiguration, encodeConfiguration } from "../../Raft/core/ConfigurationCodec.ts"
import * as Configurations from "../../Raft/core/Configurations.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import * as RaftLog from "../../Raft/core/RaftLog.ts"
import * as Disk from "./Disk.ts"
import * as Node from "./Node.ts"
import { awake, feed, send, type World } from "./World.ts"

/** Every snapshot takes several chunks, whatever its size, so that one can be lost half-way. */
const chunksCount = 3

/** Takes a snapshot of the applied state. The node may crash before its log knows of it. */
export const take = (world: World, node: Node.SimulatedNode, crashes: boolean): void => {
  const life = awake(world, node)
  // A suspect state is not kept.
  if (life === undefined || life.core.isSuspect || life.appliedIndex <= (node.disk.snapshots.at(-1)?.index ?? 0)) return
  const { appliedIndex: index, core } = life
  const { configuration } = Configurations.at(core.configurations, index)
  const term = RaftLog.termAt(core.log, index)
  if (term === undefined) throw new Error(`${node.id}: the term of applied entry ${index} is unknown`)
  const content = Buffer.concat([...life.replicated.snapshot().content])
  Disk.keepSnapshot(node.disk, { index, term, configuration, content, wrong: life.wrong })
  if (crashes) Node.stop(node, Node.nothing)
  feed(world, node, { _tag: "LocalSnapshot", index })
}

/** Sends the next chunk to a peer; or ends the sending, since the peer has everything or the node gives up. */
export const sendNext = (
  world: World,
  node: Node.SimulatedNode,
  { isGivenUp, to }: { readonly to: NodeId; readonly isGivenUp: boolean }
): void => {
  const life = awake(world, node)
  const sending = life?.sending.get(to)
  if (life === undefined || sending === undefined) return
  if (sending.isDone || isGivenUp) {
    life.sending.delete(to)
    feed(world, node, { _tag: "SnapshotSent", peer: to, ok: sending.isDone })
    return
  }
  const { offset, snapshot } = sending
  const { configuration, content, index, term, wrong } = snapshot
  const digest = `${index}/${term}/${content.length}${wrong === undefined ? "" : "/wrong"}`
  if (wrong !== undefined) world.checks.wrong.set(digest, wrong)
  send(world, {
    from: node.id,
    to,
    message: {
      _tag: "InstallSnapshot",
      term: life.core.currentTerm,
      snapshotIndex: index,
      snapshotTerm: term,
      configuration: encodeConfiguration(configuration),
      totalBytes: content.length,
      digest,
      offset,
      chunk: content.slice(offset, offset + Math.ceil(content.length / chunksCount))
    }
  })
}

/** Stores a chunk if it fits, and tells the core. The last chunk completes the snapshot file. */
export const storeChunk = (world: World, node: Node.SimulatedNode, crashes: boolean): void => {
  const chunk = awake(world, node)?.chunks.shift()
  if (chunk === undefined) return
  const { from, message } = chunk
  const { digest, snapshotIndex: index, snapshotTerm: term } = message
  const known = node.disk.receiving?.digest === digest ? node.disk.receiving.bytes : new Uint8Array(0)
  const bytes = message.offset === known.length ? Buffer.concat([known, message.chunk]) : known
  node.disk.receiving = { digest, bytes }
  if (bytes.length < message.totalBytes) {
    feed(world, node, { _tag: "SnapshotReceived", from, snapshotIndex: index, receivedBytes: bytes.length })
    return
  }
  const decoded = decodeConfiguration(message.configuration)
  if (decoded._tag !== "Configuration") throw new Error(`${node.id}: a snapshot came without its configuration`)
  const { configuration } = decoded
  const wrong = world.checks.wrong.get(digest)
  if (wrong !== undefined) world.checks.counts.spread++
  node.disk.receiving = undefined
  Disk.keepSnapshot(node.disk, { index, term, configuration, content: bytes, wrong })
  if (crashes) Node.stop(node, Node.nothing)
  feed(world, node, { _tag: "SnapshotInstalled", index, term, configuration })
}
