/** Performs one act of a simulated run. It draws nothing: the same acts on the same cluster give the same run. */

import { refusalOf } from "../../Cluster/Repairable.ts"
import { isSameHardState } from "../../EventStore/Votes.ts"
import { mayTake } from "../../Raft/core/Instances.ts"
import type { MembershipChange } from "../../Raft/core/MembershipChange.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import * as CommandQueue from "../../Raft/node/CommandQueue.ts"
import type { Act } from "./Act.ts"
import * as Checks from "./Checks.ts"
import type { Client } from "./ClientState.ts"
import * as Clients from "./Clients.ts"
import * as Disk from "./Disk.ts"
import * as Followers from "./Followers.ts"
import * as Inquiries from "./Inquiries.ts"
import * as Limits from "./Limits.ts"
import * as Node from "./Node.ts"
import { replace } from "./Operator.ts"
import { recalledBy } from "./Recalling.ts"
import * as Repairs from "./Repairs.ts"
import * as Shell from "./Shell.ts"
import * as Sight from "./Sight.ts"
import * as Snapshots from "./Snapshots.ts"
import * as States from "./States.ts"
import { awake, clockOf, type Forwarded, feed, isStanding, nodeOf, type Packet, send, type World } from "./World.ts"

/** The real time of one tick. */
const tickMs = 20

export const perform = (world: World, act: Act): void => {
  switch (act._tag) {
    case "Deliver":
      deliver(world, take(world, act))
      return
    case "Duplicate":
      duplicate(world, act)
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
      Snapshots.sendNext(world, nodeOf(world, act.node), act)
      return
    case "StoreChunk":
      Snapshots.storeChunk(world, nodeOf(world, act.node), act.crashes)
      return
    case "TakeSnapshot":
      Snapshots.take(world, nodeOf(world, act.node), act.crashes)
      return
    case "Turn":
      Shell.turn(world, nodeOf(world, act.node))
      return
    case "Request":
      Clients.begin(world, clientOf(world, act.client), nodeOf(world, act.node), act)
      return
    case "Retry":
      Clients.retry(world, clientOf(world, act.client), nodeOf(world, act.node))
      return
    case "Inquire":
      Inquiries.inquire(world, clientOf(world, act.client), nodeOf(world, act.node))
      return
    case "CloseKey":
      Inquiries.closeKey(world, clientOf(world, act.client), nodeOf(world, act.node))
      return
    case "GiveUp":
      Clients.giveUp(world, clientOf(world, act.client))
      return
    case "Cut":
      world.cut.add(`${act.from}>${act.to}`)
      return
    case "Mend":
      world.cut.clear()
      return
    case "Crash":
      Node.stop(nodeOf(world, act.node), act)
      return
    case "Mark":
      Shell.mark(world, nodeOf(world, act.node))
      return
    case "Damage":
      damage(world, nodeOf(world, act.node), act.share)
      return
    case "Rot": {
      const { disk, life, refusal } = nodeOf(world, act.node)
      if (life !== undefined || refusal !== undefined) return
      Disk.rot(disk, act)
      world.checks.counts.rots++
      return
    }
    case "Start":
      start(world, nodeOf(world, act.node), act.isFromOldest)
      return
    case "Pause": {
      const { life } = nodeOf(world, act.node)
      if (life !== undefined) life.pausedUntilMs = world.nowMs + act.forMs
      return
    }
    case "JumpClock":
      nodeOf(world, act.node).wallOffsetMs += act.byMs
      return
    case "StallDisk":
      nodeOf(world, act.node).stalledUntilMs = world.nowMs + act.forMs
      return
    case "LosePeer":
      feed(world, nodeOf(world, act.node), { _tag: "PeerUnreachable", peer: act.peer })
      return
    case "ShutDown":
      feed(world, nodeOf(world, act.node), { _tag: "ShutDown" })
      return
    case "Change":
      change(world, nodeOf(world, act.node), act.change)
      return
    case "Transfer": {
      const to = act.to === undefined ? {} : { to: act.to }
      const output = feed(world, nodeOf(world, act.node), { _tag: "TransferLeadership", ...to })
      if (output?.transfer?._tag === "Started") world.checks.counts.transfers++
      return
    }
    case "Follow":
      Followers.follow(world, nodeOf(world, act.node), act)
      return
    case "Save":
      Followers.save(world, nodeOf(world, act.node), act.projection)
      return
    case "DamageSave":
      Followers.damage(nodeOf(world, act.node), act)
      return
    case "Visit":
    case "Look":
    case "Attend":
    case "Hear":
      Sight.perform(world, act)
      return
    case "Corrupt":
      States.corrupt(world, nodeOf(world, act.node), act)
      return
    case "Upgrade": {
      const node = nodeOf(world, act.node)
      node.version = node.version === 1 ? 2 : 1
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

/** The position of the message in the network, or -1. */
const positionOf = (world: World, { from, position, to }: OnLink): number => {
  let left = position
  return world.network.findIndex((each) => each.from === from && each.to === to && left-- === 0)
}

/** Cores may get a message twice. A client's request comes over a stream, and never twice. */
const duplicate = (world: World, link: OnLink): void => {
  const packet = world.network[positionOf(world, link)]
  const isCores = packet !== undefined && packet.message._tag !== "Forward" && packet.message._tag !== "ForwardReply"
  deliver(world, isCores ? packet : take(world, link))
}

const take = (world: World, link: OnLink): Packet | undefined => {
  const at = positionOf(world, link)
  return at < 0 ? undefined : world.network.splice(at, 1)[0]
}

/** A message for a process that stands still waits until the process goes on. */
const deliver = (world: World, packet: Packet | undefined): void => {
  if (packet === undefined || world.cut.has(`${packet.from}>${packet.to}`)) return
  const { message } = packet
  const [sender, node] = [nodeOf(world, packet.from), nodeOf(world, packet.to)]
  const { life } = node
  if (life === undefined) return
  if (isStanding(world, node)) {
    world.network.push(packet)
    return
  }
  if (message._tag === "StateReport") {
    States.received(world, node, sender, message)
    return
  }
  if (message._tag === "Forward" || message._tag === "ForwardReply") {
    const isLost = world.releases !== undefined && world.nowMs - packet.sentMs > Limits.forwardedMaxMs
    if (!isLost) deliverForwarded(world, node, life, packet, message)
    return
  }
  const peer = { id: sender.id, instanceId: Node.instanceIdOf(sender) }
  if (!mayTake(life.core.configuration, peer, message)) return
  feed(world, node, { _tag: "Receive", from: sender.id, message })
}

/** The leader serves a follower's client like its own, and the follower answers the client. */
const deliverForwarded = (
  world: World,
  node: Node.SimulatedNode,
  life: Node.Life,
  { from, to }: Packet,
  message: Forwarded
): void => {
  const { requestId } = message
  if (message._tag === "Forward") {
    const settle: Node.Settle = (exit) =>
      send(world, {
        from: to,
        to: from,
        message: { _tag: "ForwardReply", requestId, exit: recalledBy(world, node, exit) }
      })
    // A leader makes its peers wait no longer than its own clients.
    CommandQueue.submit(life.deciding, message.command, settle, {
      nowMs: world.nowMs,
      timeoutMs: Limits.answerTimeoutMs
    })
    return
  }
  const settle = life.forwarded.get(requestId)
  life.forwarded.delete(requestId)
  settle?.(message.exit)
}

const tick = (world: World, { missedBy, random }: Extract<Act, { readonly _tag: "Tick" }>): void => {
  world.nowMs += tickMs
  Clients.timeOut(world)
  if (world.releases !== undefined) {
    for (const { life } of world.nodes) if (life !== undefined) CommandQueue.endOverdue(life.deciding, world.nowMs)
  }
  // Messages that waited while the process stood still come before its next tick.
  for (const node of world.nodes) if ((awake(world, node)?.arrived.length ?? 0) > 0) Shell.turn(world, node)
  for (const [at, node] of world.nodes.entries()) {
    if (awake(world, node) === undefined || missedBy.includes(node.id)) continue
    // Far apart for neighbours, and the same each time this act is performed.
    Shell.tick(world, node, (random + at * 0.618) % 1)
  }
}

/** Starts a stopped node. */
const start = (world: World, node: Node.SimulatedNode, isFromOldest: boolean): void => {
  if (node.life !== undefined || node.refusal !== undefined) return
  node.refusal = refusalOfStart(world, node)
  if (node.refusal !== undefined) {
    world.checks.counts.refusals++
    return
  }
  const snapshots = Disk.usableSnapshots(node.disk)
  const hardState = Disk.hardStateOf(node.disk)
  // VotedLog.ts writes it so that the log holds it too.
  if (!isSameHardState(hardState, node.disk.hardState)) Disk.write(node.disk, [{ hardState, entries: [] }])
  Node.start(node, {
    config: world.config,
    snapshot: isFromOldest ? snapshots[0] : snapshots.at(-1),
    newId: () => `n${world.nextNumber++}`,
    monotonicMs: () => Math.floor(clockOf(world, node)),
    limits: Limits.of(world.releases, node.version),
    ruled: world.sight?.truth.ruled
  })
  Followers.start(world, node)
  Checks.started(world.checks, node)
  Repairs.started(world.checks, node)
  Checks.applied(world.checks, node)
}

/** Reads the log of a stopped node, and cuts it if it is damaged and peers can give back what it has lost. */
const refusalOfStart = (world: World, node: Node.SimulatedNode): string | undefined => {
  const { disk } = node
  const refusal = Disk.recover(disk)
  if (!world.isRotting) return refusal
  const isCovered = disk.firstIndex === 1 || Disk.usableSnapshots(disk).length > 0
  disk.isRotten = false
  if (refusal === undefined && isCovered) return undefined
  const cut = Disk.cut(disk)
  const newest = disk.snapshots.at(-1)
  const inLog = Disk.configurationsOf(cut.entries).at(-1)
  const configuration =
    inLog !== undefined && inLog.index >= (newest?.index ?? 0) ? inLog.configuration : newest?.configuration
  const peers = world.firstVoters.map((id) => ({ id }))
  const isJoining = !world.firstVoters.includes(node.id)
  const why = refusalOf({ nodeId: node.id, peers, isJoining }, configuration)
  if (why !== undefined) return `${refusal ?? "no snapshot covers what came before the log"}; ${why}`
  node.disk = cut
  world.checks.counts.repairs++
  return undefined
}

/** Asks for a change of members. A node to be added is named with its present data directory. */
const change = (world: World, node: Node.SimulatedNode, asked: MembershipChange): void => {
  if (States.isAnyWrong(world)) return
  const instanceIdOf = (id: NodeId) => Node.instanceIdOf(nodeOf(world, id))
  const change: MembershipChange =
    asked._tag === "AddLearner"
      ? { ...asked, member: { ...asked.member, instanceId: instanceIdOf(asked.member.id) } }
      : asked
  const output = feed(world, node, { _tag: "ChangeMembership", requestId: world.nextNumber++, change })
  if (output?.membership?._tag === "Accepted") world.checks.counts.changes++
}

/** Damages only stopped nodes, and one at a time, so that a quorum survives. */
const damage = (world: World, node: Node.SimulatedNode, share: number): void => {
  if (node.life !== undefined || world.nodes.some(({ refusal }) => refusal !== undefined)) return
  node.refusal = Disk.damage(node.disk, share)
  if (node.refusal !== undefined) world.checks.counts.refusals++
}

const clientOf = (world: World, at: number): Client => world.clients.all[at]!
