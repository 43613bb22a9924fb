/** Snapshots of a simulated node: taken, sent in chunks, stored as they come. Their content is the machine's own. */
import { decodeConfiguration, encodeConfiguration } from "../../Raft/core/ConfigurationCodec.ts"
import * as Configurations from "../../Raft/core/Configurations.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import * as RaftLog from "../../Raft/core/RaftLog.ts"
import * as Disk from "./Disk.ts"
import * as Node from "./Node.ts"
import { awake, feed, send, type World } from "./World.ts"

/** So that a snapshot takes several chunks, whatever its size, and can be lost half-way. */
const chunksCount = 3

/** Takes a snapshot of what is applied; a crash may come before the log knows of it. */
export const take = (world: World, node: Node.SimulatedNode, crashes: boolean): void => {
  const life = awake(world, node)
  // What is not believed is not kept.
  if (life === undefined || life.core.isSuspect || life.appliedIndex <= (node.disk.snapshots.at(-1)?.index ?? 0)) return
  const { appliedIndex: index, core } = life
  const { configuration } = Configurations.at(core.configurations, index)
  const term = RaftLog.termAt(core.log, index)
  if (term === undefined) throw new Error(`${node.id}: the term of applied entry ${index} is unknown`)
  const content = Buffer.concat([...life.replicated.snapshot()])
  Disk.keepSnapshot(node.disk, { index, term, configuration, content, wrong: life.wrong })
  if (crashes) Node.stop(node, Node.nothing)
  feed(world, node, { _tag: "LocalSnapshot", index })
}

/** Sends the next chunk to a peer, or ends the sending: the peer has all of it, or it is given up. */
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

/** Stores a chunk where it fits, and tells the core; the last one makes a snapshot file of them all. */
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
