/** The shell of a simulated node: it serves the core with turns, disk and machine, one step at a time. */

import * as Reads from "../../Raft/core/Reads.ts"
import * as StateComparison from "../../Raft/core/StateComparison.ts"
import * as CommandQueue from "../../Raft/node/CommandQueue.ts"
import * as WaitingReads from "../../Raft/node/WaitingReads.ts"
import * as Checks from "./Checks.ts"
import * as Disk from "./Disk.ts"
import * as Node from "./Node.ts"
import * as States from "./States.ts"
import { awake, clockOf, feed, type World } from "./World.ts"

/** Syncs the next writes of a node, in order. */
export const sync = (
  world: World,
  node: Node.SimulatedNode,
  { count, isForgotten }: { readonly count: number; readonly isForgotten: boolean }
): void => {
  const life = awake(world, node)
  if (life === undefined || world.nowMs < node.stalledUntilMs) return
  const writes = life.unsynced.splice(0, count)
  const last = writes[writes.length - 1]
  if (last === undefined) return
  life.unsyncedSinceMs = life.core.nowMs
  if (!isForgotten) Disk.write(node.disk, writes)
  feed(world, node, { _tag: "Persisted", seq: last.seq })
}

/** Time passes for a node. An overdue write is a stall, as for RaftNode (C20). */
export const tick = (world: World, node: Node.SimulatedNode, random: number): void => {
  feed(world, node, { _tag: "Tick", nowMs: clockOf(world, node), random })
  const { life } = node
  States.tick(world, node)
  if (life === undefined || life.unsynced.length === 0 || life.core.diskStalled) return
  const isOverdue = life.core.nowMs - life.unsyncedSinceMs >= world.config.diskStallTimeoutMs
  if (isOverdue) feed(world, node, { _tag: "DiskStalled" })
}

/** Takes a turn as RaftNode does: tells the core of reads, decides commands, and answers reads whose index is applied. */
export const turn = (world: World, node: Node.SimulatedNode): void => {
  const life = awake(world, node)
  if (life === undefined) return
  for (const arrive of life.arrived.splice(0)) arrive()
  const leasable = life.leasable.splice(0)
  if (leasable.length > 0) feed(world, node, { _tag: "Read", readIds: leasable, mayLease: true })
  const asked = WaitingReads.takeAsked(life.reads)
  if (asked.length > 0) feed(world, node, { _tag: "Read", readIds: asked })
  CommandQueue.decide(life.deciding, {
    core: life.core,
    // Its own life takes what it does: `feed` gives nothing only where none is left.
    run: (input) => feed(world, node, input)!,
    reads: life.reads,
    appliedIndex: life.appliedIndex,
    nowMs: wallClockOf(world, node),
    isOver: () => false
  })
  WaitingReads.finish(life.reads, Reads.readableIndex(life.core))
}

/** The wall clock may be anywhere, and jumps: only the time stamps of entries may depend on it (C19). */
const wallClockOf = (world: World, { wallOffsetMs }: Node.SimulatedNode): number =>
  1_700_000_000_000 + world.nowMs + wallOffsetMs

/** Marks an idle log. */
export const mark = (world: World, node: Node.SimulatedNode): void => {
  const life = awake(world, node)
  if (life === undefined || life.unsynced.length > 0 || world.nowMs < node.stalledUntilMs) return
  Disk.markDurable(node.disk)
}

export const readLog = (world: World, node: Node.SimulatedNode, count: number): void => {
  const read = awake(world, node)?.logReads.shift()
  if (read === undefined) return
  const { disk } = node
  const from = read.fromIndex - disk.firstIndex
  const entries = from < 0 ? [] : disk.entries.slice(from, from + count)
  feed(world, node, { _tag: "LogRead", peer: read.peer, entries })
}

/** A node marks each so manyth entry that it has applied. */
const markEveryCount = 4

/** Applies a range and answers the requests that waited for its entries; or restores a snapshot. */
export const apply = (world: World, node: Node.SimulatedNode): void => {
  const life = awake(world, node)
  const task = life?.tasks.shift()
  if (life === undefined || task === undefined) return
  if (task._tag === "Restore") {
    const snapshot = node.disk.snapshots.find(({ index }) => index === task.mark.index)
    if (snapshot === undefined) throw new Error(`${node.id}: the snapshot at ${task.mark.index} is not here`)
    Node.restore(life.replicated, snapshot)
    life.appliedIndex = snapshot.index
    life.wrong = snapshot.wrong
    life.wasWrong ||= snapshot.wrong !== undefined
    CommandQueue.dropSpeculation(life.deciding)
    StateComparison.replaced(life.comparing)
    Checks.applied(world.checks, node)
  } else {
    for (let index = task.fromIndex; index <= task.toIndex; index++) {
      const entry = Disk.entryAt(node.disk, index)
      if (entry === undefined) throw new Error(`${node.id}: applies entry ${index}, which its disk lacks`)
      life.replicated.apply(entry)
      life.appliedIndex = index
      States.applied(life)
      Checks.applied(world.checks, node)
      CommandQueue.applied(life.deciding, entry)
      // Not always, so that marks are old ones too.
      if (world.isMarking && index % markEveryCount === 0) node.disk.applied = { index, term: entry.term }
    }
  }
  feed(world, node, { _tag: "Applied", index: life.appliedIndex })
  States.speak(world, node)
}
