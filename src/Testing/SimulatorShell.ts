/** What a shell does for the core of a simulated node: disk, machine, snapshots. One thing at a time. */
import { decodeConfiguration, encodeConfiguration } from "../Raft/ConfigurationCodec.ts"
import * as Configurations from "../Raft/Configurations.ts"
import type { NodeId } from "../Raft/Message.ts"
import * as RaftLog from "../Raft/RaftLog.ts"
import * as Checks from "./SimulatorChecks.ts"
import * as Node from "./SimulatorNode.ts"
import { feed, isIdle, send, type World } from "./SimulatorWorld.ts"

/** So small that a snapshot takes several, and can be lost half-way. */
const chunkBytes = 16

/** Syncs the next writes of a node, in order. */
export const sync = (
  world: World,
  node: Node.SimulatedNode,
  { count, isForgotten }: { readonly count: number; readonly isForgotten: boolean }
): void => {
  if (isIdle(world, node)) return
  const writes = node.unsynced.splice(0, count)
  const last = writes[writes.length - 1]
  if (last === undefined) return
  if (!isForgotten) for (const write of writes) Node.writeTo(node.disk, write)
  feed(world, node, { _tag: "Persisted", seq: last.seq })
}

export const readLog = (world: World, node: Node.SimulatedNode, count: number): void => {
  if (isIdle(world, node)) return
  const read = node.reads.shift()
  if (read === undefined) return
  const { disk } = node
  const from = read.fromIndex - disk.firstIndex
  const entries = from < 0 ? [] : disk.entries.slice(from, from + count)
  feed(world, node, { _tag: "LogRead", peer: read.peer, entries })
}

/** Applies a range or restores a snapshot. */
export const apply = (world: World, node: Node.SimulatedNode): void => {
  if (isIdle(world, node)) return
  const task = node.tasks.shift()
  if (task === undefined) return
  if (task._tag === "Restore") {
    const snapshot = node.disk.snapshots.find(({ index }) => index === task.mark.index)
    if (snapshot === undefined) throw new Error(`${node.id}: the snapshot at ${task.mark.index} is not here`)
    node.applied = snapshot
  } else {
    for (let index = task.fromIndex; index <= task.toIndex; index++) {
      const entry = Node.entryAt(node.disk, index)
      if (entry === undefined) throw new Error(`${node.id}: applies entry ${index}, which its disk lacks`)
      node.applied = { index, hash: Checks.hashOf(node.applied.hash, entry) }
    }
  }
  Checks.applied(world.checks, node)
  feed(world, node, { _tag: "Applied", index: node.applied.index })
}

/** Takes a snapshot of what is applied; a crash may come before the log knows of it. */
export const takeSnapshot = (world: World, node: Node.SimulatedNode, crashes: boolean): void => {
  const { applied, disk, state } = node
  if (state === undefined || applied.index <= (disk.snapshots.at(-1)?.index ?? 0)) return
  const { configuration } = Configurations.at(state.configurations, applied.index)
  const term = RaftLog.termAt(state.log, applied.index)
  if (term === undefined) throw new Error(`${node.id}: the term of applied entry ${applied.index} is unknown`)
  Node.keepSnapshot(disk, { ...applied, term, configuration })
  if (crashes) Node.stop(node, 0)
  feed(world, node, { _tag: "LocalSnapshot", index: applied.index })
}

/** Sends the next chunk to a peer, or ends the sending: the peer has all of it, or it is given up. */
export const sendSnapshot = (
  world: World,
  node: Node.SimulatedNode,
  { isGivenUp, to }: { readonly to: NodeId; readonly isGivenUp: boolean }
): void => {
  const sending = node.sending.get(to)
  if (isIdle(world, node) || sending === undefined) return
  if (sending.isDone || isGivenUp) {
    node.sending.delete(to)
    feed(world, node, { _tag: "SnapshotSent", peer: to, ok: sending.isDone })
  } else sendChunk(world, node, to, sending)
}

const sendChunk = (world: World, node: Node.SimulatedNode, to: NodeId, { offset, snapshot }: Node.Sending): void => {
  const bytes = encodeSnapshot(snapshot)
  const { configuration, index, term } = snapshot
  send(world, {
    from: node.id,
    to,
    message: {
      _tag: "InstallSnapshot",
      term: node.state!.currentTerm,
      snapshotIndex: index,
      snapshotTerm: term,
      configuration: encodeConfiguration(configuration),
      totalBytes: bytes.length,
      digest: digestOf(snapshot),
      offset,
      chunk: bytes.slice(offset, offset + chunkBytes)
    }
  })
}

/** Stores a chunk where it fits, and tells the core; the last one makes a snapshot file of them all. */
export const storeChunk = (world: World, node: Node.SimulatedNode, crashes: boolean): void => {
  if (isIdle(world, node)) return
  const chunk = node.chunks.shift()
  if (chunk === undefined) return
  const { from, message } = chunk
  const { digest, snapshotIndex: index, snapshotTerm: term } = message
  const known = node.disk.receiving?.digest === digest ? node.disk.receiving.bytes : []
  const bytes = message.offset === known.length ? [...known, ...message.chunk] : known
  node.disk.receiving = { digest, bytes }
  if (bytes.length < message.totalBytes) {
    feed(world, node, { _tag: "SnapshotReceived", from, snapshotIndex: index, receivedBytes: bytes.length })
    return
  }
  const decoded = decodeConfiguration(message.configuration)
  const hash = decodeSnapshot(bytes)
  if (decoded._tag !== "Configuration") throw new Error(`${node.id}: a snapshot came without its configuration`)
  const { configuration } = decoded
  node.disk.receiving = undefined
  Node.keepSnapshot(node.disk, { index, term, hash, configuration })
  if (crashes) Node.stop(node, 0)
  feed(world, node, { _tag: "SnapshotInstalled", index, term, configuration })
}

const digestOf = ({ hash, index, term }: Node.Snapshot): string => `${index}/${term}/${hash}`

/** Longer than a chunk, as a real one is. */
const encodeSnapshot = (snapshot: Node.Snapshot): Uint8Array =>
  new TextEncoder().encode(`a snapshot whose machine has the hash ${snapshot.hash}`)

const decodeSnapshot = (bytes: ReadonlyArray<number>): number =>
  Number(new TextDecoder().decode(Uint8Array.from(bytes)).split(" ").at(-1))
