/** Does one act of a simulated run to its cluster. It draws nothing: the same acts on the same cluster come to the same. */
import { mayTake } from "../Raft/Instances.ts"
import type { Envelope, NodeId } from "../Raft/Message.ts"
import type { Act } from "./SimulatorAct.ts"
import * as Checks from "./SimulatorChecks.ts"
import * as Node from "./SimulatorNode.ts"
import { replace } from "./SimulatorOperator.ts"
import * as Shell from "./SimulatorShell.ts"
import { feed, isIdle, isStanding, nodeOf, type World } from "./SimulatorWorld.ts"

/** Real time between two looks at the clocks. */
const tickMs = 20

export const perform = (world: World, act: Act): void => {
  switch (act._tag) {
    case "Deliver":
      deliver(world, take(world, act))
      return
    case "Duplicate":
      deliver(world, world.network[positionOf(world, act)])
      return
    case "Drop":
      take(world, act)
      return
    case "Tick":
      tick(world, act)
      return
    case "Sync":
      Shell.sync(world, nodeOf(world, act.node), act)
      return
    case "Apply":
      Shell.apply(world, nodeOf(world, act.node))
      return
    case "ReadLog":
      Shell.readLog(world, nodeOf(world, act.node), act.count)
      return
    case "SendSnapshot":
      Shell.sendSnapshot(world, nodeOf(world, act.node), act)
      return
    case "StoreChunk":
      Shell.storeChunk(world, nodeOf(world, act.node), act.crashes)
      return
    case "TakeSnapshot":
      Shell.takeSnapshot(world, nodeOf(world, act.node), act.crashes)
      return
    case "Propose":
      propose(world, nodeOf(world, act.node), act.bytes)
      return
    case "Read":
      read(world, nodeOf(world, act.node), act.mayLease)
      return
    case "Cut":
      world.cut.add(`${act.from}>${act.to}`)
      return
    case "Mend":
      world.cut.clear()
      return
    case "Crash":
      Node.stop(nodeOf(world, act.node), act.keptCount)
      return
    case "Start":
      start(world, nodeOf(world, act.node), act.isFromOldest)
      return
    case "Pause":
      nodeOf(world, act.node).pausedUntilMs = world.nowMs + act.forMs
      return
    case "StallDisk":
      feed(world, nodeOf(world, act.node), { _tag: "DiskStalled" })
      return
    case "LosePeer":
      feed(world, nodeOf(world, act.node), { _tag: "PeerUnreachable", peer: act.peer })
      return
    case "ShutDown":
      feed(world, nodeOf(world, act.node), { _tag: "ShutDown" })
      return
    case "Change": {
      const requestId = world.nextRequestId++
      const output = feed(world, nodeOf(world, act.node), { _tag: "ChangeMembership", requestId, change: act.change })
      if (output?.membership?._tag === "Accepted") world.checks.counts.changes++
      return
    }
    case "Transfer": {
      const to = act.to === undefined ? {} : { to: act.to }
      const output = feed(world, nodeOf(world, act.node), { _tag: "TransferLeadership", ...to })
      if (output?.transfer?._tag === "Started") world.checks.counts.transfers++
      return
    }
    case "Replace":
      if (replace(world, nodeOf(world, act.node))) start(world, nodeOf(world, act.node), false)
      return
  }
}

interface OnLink {
  readonly from: NodeId
  readonly to: NodeId
  readonly position: number
}

/** Where in the network the message stands, or -1. */
const positionOf = (world: World, { from, position, to }: OnLink): number => {
  let left = position
  return world.network.findIndex((each) => each.from === from && each.to === to && left-- === 0)
}

const take = (world: World, link: OnLink): Envelope | undefined => {
  const at = positionOf(world, link)
  return at < 0 ? undefined : world.network.splice(at, 1)[0]
}

/** What is for a process that stands still waits until it goes on. */
const deliver = (world: World, envelope: Envelope | undefined): void => {
  if (envelope === undefined || world.cut.has(`${envelope.from}>${envelope.to}`)) return
  const [sender, node] = [nodeOf(world, envelope.from), nodeOf(world, envelope.to)]
  if (node.state === undefined) return
  if (isStanding(world, node)) {
    world.network.push(envelope)
    return
  }
  const peer = { id: sender.id, instanceId: Node.instanceIdOf(sender) }
  if (!mayTake(node.state.configuration, peer, envelope.message)) return
  feed(world, node, { _tag: "Receive", from: sender.id, message: envelope.message })
}

const tick = (world: World, { missedBy, random }: Extract<Act, { readonly _tag: "Tick" }>): void => {
  world.nowMs += tickMs
  // What waited while a process stood still comes before its next look at the clock.
  for (const node of world.nodes) if (!isIdle(world, node)) readWaiting(world, node, true)
  for (const [at, node] of world.nodes.entries()) {
    if (isIdle(world, node) || missedBy.includes(node.id)) continue
    // Far apart for neighbours, and the same whenever this act is done.
    feed(world, node, { _tag: "Tick", nowMs: world.nowMs, random: (random + at * 0.618) % 1 })
  }
}

/** Asked of a client. It must see whatever was committed anywhere when it began. */
const read = (world: World, node: Node.SimulatedNode, mayLease: boolean): void => {
  if (node.state === undefined) return
  const readId = world.nextRequestId++
  Checks.readBegins(world.checks, readId)
  node.waitingReads.push(readId)
  if (!isIdle(world, node)) readWaiting(world, node, mayLease)
}

const readWaiting = (world: World, node: Node.SimulatedNode, mayLease: boolean): void => {
  const readIds = node.waitingReads.splice(0)
  if (readIds.length > 0) feed(world, node, { _tag: "Read", readIds, mayLease })
}

const propose = (world: World, node: Node.SimulatedNode, bytes: ReadonlyArray<number>): void => {
  if (node.state === undefined || isIdle(world, node)) return
  const { currentTerm, log } = node.state
  const entries = [{ type: "transaction" as const, payload: Uint8Array.from(bytes) }]
  feed(world, node, { _tag: "Propose", term: currentTerm, lastIndex: log.lastIndex, entries })
}

/** Starts a node that is stopped. */
const start = (world: World, node: Node.SimulatedNode, isFromOldest: boolean): void => {
  if (node.state !== undefined) return
  const snapshots = Node.usableSnapshots(node.disk)
  Node.start(node, world.config, isFromOldest ? snapshots[0] : snapshots.at(-1))
  Checks.started(world.checks, node)
}
