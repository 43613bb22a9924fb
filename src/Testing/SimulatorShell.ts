/** What a shell does for the core of a simulated node: its turn, its disk and its machine. One thing at a time. */
import * as Deciding from "../Raft/Deciding.ts"
import * as WaitingReads from "../Raft/WaitingReads.ts"
import * as Checks from "./SimulatorChecks.ts"
import * as Disk from "./SimulatorDisk.ts"
import * as Node from "./SimulatorNode.ts"
import { awake, feed, type World } from "./SimulatorWorld.ts"

/** Syncs the next writes of a node, in order. */
export const sync = (
  world: World,
  node: Node.SimulatedNode,
  { count, isForgotten }: { readonly count: number; readonly isForgotten: boolean }
): void => {
  const writes = awake(world, node)?.unsynced.splice(0, count) ?? []
  const last = writes[writes.length - 1]
  if (last === undefined) return
  if (!isForgotten) for (const write of writes) Disk.write(node.disk, write)
  feed(world, node, { _tag: "Persisted", seq: last.seq })
}

/** Tells the core of reads, decides commands, and answers reads whose index is applied: as RaftNode does in each turn. */
export const turn = (world: World, node: Node.SimulatedNode): void => {
  const life = awake(world, node)
  if (life === undefined) return
  for (const arrive of life.arrived.splice(0)) arrive()
  const leasable = life.leasable.splice(0)
  if (leasable.length > 0) feed(world, node, { _tag: "Read", readIds: leasable, mayLease: true })
  const asked = WaitingReads.takeAsked(life.reads)
  if (asked.length > 0) feed(world, node, { _tag: "Read", readIds: asked })
  Deciding.decide(life.deciding, {
    core: life.core,
    // Its own life takes what it does: `feed` gives nothing only where none is left.
    run: (input) => feed(world, node, input)!,
    reads: life.reads,
    appliedIndex: life.appliedIndex,
    nowMs: wallClockOf(world, node),
    isOver: () => false
  })
  WaitingReads.finish(life.reads, life.core.lastApplied)
}

/** Set anywhere, and jumping: nothing but the time stamps of entries may come of that (C19). */
const wallClockOf = (world: World, { wallOffsetMs }: Node.SimulatedNode): number =>
  1_700_000_000_000 + world.nowMs + wallOffsetMs

export const readLog = (world: World, node: Node.SimulatedNode, count: number): void => {
  const read = awake(world, node)?.logReads.shift()
  if (read === undefined) return
  const { disk } = node
  const from = read.fromIndex - disk.firstIndex
  const entries = from < 0 ? [] : disk.entries.slice(from, from + count)
  feed(world, node, { _tag: "LogRead", peer: read.peer, entries })
}

/** Applies a range, and tells who waited for its entries; or restores a snapshot. */
export const apply = (world: World, node: Node.SimulatedNode): void => {
  const life = awake(world, node)
  const task = life?.tasks.shift()
  if (life === undefined || task === undefined) return
  if (task._tag === "Restore") {
    const snapshot = node.disk.snapshots.find(({ index }) => index === task.mark.index)
    if (snapshot === undefined) throw new Error(`${node.id}: the snapshot at ${task.mark.index} is not here`)
    Node.restore(life.replicated, snapshot)
    life.appliedIndex = snapshot.index
    Checks.applied(world.checks, node)
  } else {
    for (let index = task.fromIndex; index <= task.toIndex; index++) {
      const entry = Disk.entryAt(node.disk, index)
      if (entry === undefined) throw new Error(`${node.id}: applies entry ${index}, which its disk lacks`)
      life.replicated.apply(entry)
      life.appliedIndex = index
      Checks.applied(world.checks, node)
      Deciding.applied(life.deciding, entry)
    }
  }
  feed(world, node, { _tag: "Applied", index: life.appliedIndex })
}
