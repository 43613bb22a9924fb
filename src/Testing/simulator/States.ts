/**
 * Corrupts states of a simulated cluster's machines, compares them by their hashes as in production
 * (Raft/core/StateComparison.ts), and follows each corruption to its alarm and to the rebuilt state. In production the
 * fibers of Raft/node/StateWatch.ts and rebuildState.ts do this. Only in runs with two releases.
 */
import { stateHash } from "../../Machine/Tables.ts"
import { isMember, isVoter, membersOf } from "../../Raft/core/Configuration.ts"
import * as Configurations from "../../Raft/core/Configurations.ts"
import * as Quorum from "../../Raft/core/Quorum.ts"
import * as RaftLog from "../../Raft/core/RaftLog.ts"
import * as StateComparison from "../../Raft/core/StateComparison.ts"
import * as CommandQueue from "../../Raft/node/CommandQueue.ts"
import * as WaitingReads from "../../Raft/node/WaitingReads.ts"
import * as Disk from "./Disk.ts"
import { fail } from "./Failure.ts"
import * as Node from "./Node.ts"
import { noQuorum } from "./Outcome.ts"
import { awake, feed, nodeOf, send, type World } from "./World.ts"

/** The part that a corruption changes. No client can see it. */
export const corruptions = ["createdIndex", "index", "tombstone"] as const
export type Corruption = (typeof corruptions)[number]

const nowOf = ({ appliedIndex, replicated }: Node.Life): StateComparison.Now => ({
  appliedIndex,
  hash: replicated.hash(),
  definition: replicated.hashDefinition
})

/** An entry is applied. */
export const applied = ({ comparing, appliedIndex, replicated }: Node.Life): void =>
  StateComparison.applied(comparing, appliedIndex, replicated.hash())

/** Sends the reports that a node has ready. */
export const speak = (world: World, node: Node.SimulatedNode): void => {
  const { life } = node
  if (world.releases === undefined || life === undefined) return
  for (const report of StateComparison.due(life.comparing, nowOf(life))) say(world, node, life, report)
}

/** A member's report about its state arrives. */
export const received = (
  world: World,
  node: Node.SimulatedNode,
  from: Node.SimulatedNode,
  report: StateComparison.StateReport
): void => {
  const { life } = node
  const member = membersOf(life?.core.configuration ?? { voters: [], learners: [] }).find(({ id }) => id === from.id)
  if (life === undefined || member?.instanceId !== Node.instanceIdOf(from)) return
  StateComparison.received(life.comparing, from.id, report)
  consider(world, node, life)
  speak(world, node)
}

/** Time passes: a leader asks for reports, a node audits its state, and a suspect node rebuilds it. */
export const tick = (world: World, node: Node.SimulatedNode): void => {
  const life = awake(world, node)
  if (world.releases === undefined || life === undefined) return
  const { comparing, core } = life
  if (life.wrong !== undefined) audit(world, life)
  if (comparing.isSuspect) {
    StateComparison.passed(comparing, core)
    consider(world, node, life)
  }
  if (core.role._tag === "Leader") {
    const report = StateComparison.tick(comparing, { nowMs: core.nowMs, term: core.currentTerm }, nowOf(life))
    if (report !== undefined) say(world, node, life, report)
  }
  const isToBeRebuilt = comparing.isSuspect && (life.wrong !== undefined || world.checks.counts.spread > 0)
  if (isToBeRebuilt && life.tasks.length === 0) rebuild(world, node, life)
  if (!comparing.isSuspect && life.wrong === undefined) keepRight(node, life)
}

const say = (world: World, node: Node.SimulatedNode, life: Node.Life, report: StateComparison.StateReport): void => {
  for (const { id } of membersOf(life.core.configuration)) {
    if (id !== node.id) send(world, { from: node.id, to: id, message: report })
  }
  consider(world, node, life)
}

const consider = (world: World, node: Node.SimulatedNode, life: Node.Life): void => {
  const { comparing } = life
  const verdict = StateComparison.judge(comparing, life.core.configuration)
  if (verdict?._tag === "Differs") world.checks.counts.alarms++
  if (comparing.isSuspect === life.core.isSuspect) return
  const { spread } = world.checks.counts
  // A majority with a wrong state, as a single voter may be, calls a right state wrong.
  const wasWrong = (voter: string) => nodeOf(world, voter)?.life?.wasWrong === true
  const isRight = !life.wasWrong && spread === 0 && !Quorum.isQuorum(life.core.configuration, wasWrong)
  if (comparing.isSuspect && isRight) fail(`${node.id}: a state that is right is not believed`)
  feed(world, node, { _tag: "StateSuspected", isSuspect: comparing.isSuspect })
  if (comparing.isSuspect) WaitingReads.refuseAll(life.reads, noQuorum)
}

/** Corrects the hash, and notices if a later entry has undone the corruption. */
const audit = ({ checks }: World, life: Node.Life): void => {
  const steps = life.replicated.auditing()
  while (steps.next().done !== true);
  const { applied } = life.machine
  const right = checks.hashes[life.appliedIndex]
  if (life.wrong?.(applied) === false && right === stateHash(applied)) life.wrong = undefined
}

/** Rebuilds a state from the beginning of the log or from a snapshot of the leader; later if it has neither. */
const rebuild = (world: World, node: Node.SimulatedNode, life: Node.Life): void => {
  const { disk } = node
  const { appliedIndex, core, replicated } = life
  const anew = replicated.rebuilding()
  let next = 1
  let wrong: Disk.Snapshot["wrong"]
  if (core.log.firstIndex > 1) {
    const leader = core.role._tag === "Follower" ? core.role.leader : undefined
    const sender = leader === undefined ? undefined : awake(world, nodeOf(world, leader))
    if (sender?.core.role._tag !== "Leader") return
    const index = sender.appliedIndex
    if (index < core.log.firstIndex - 1 || index > appliedIndex) return
    Node.restore(anew, { index, content: Buffer.concat([...sender.replicated.snapshot().content]) })
    next = index + 1
    wrong = sender.wrong
  }
  for (; next <= appliedIndex; next++) {
    const entry = Disk.entryAt(disk, next)
    if (entry === undefined) fail(`${node.id}: entry ${next} is to be applied anew, and its disk lacks it`)
    anew.apply(entry)
  }
  anew.end()
  CommandQueue.dropSpeculation(life.deciding)
  life.wrong = wrong
  StateComparison.replaced(life.comparing)
  world.checks.counts.rebuiltStates++
}

/** Once a state is right again, a snapshot of it replaces the wrong one. */
const keepRight = ({ disk }: Node.SimulatedNode, { appliedIndex: index, core, replicated }: Node.Life): void => {
  const newest = disk.snapshots.at(-1)
  if (newest?.wrong === undefined || newest.index > index) return
  const { configuration } = Configurations.at(core.configurations, index)
  const term = RaftLog.termAt(core.log, index)
  if (term === undefined) return
  const content = Buffer.concat([...replicated.snapshot().content])
  Disk.keepSnapshot(disk, { index, term, configuration, content, wrong: undefined })
}

/** Corrupts the state of one node at a time, and only if the others are a majority. */
export const corrupt = (
  world: World,
  node: Node.SimulatedNode,
  { share, what }: { readonly share: number; readonly what: Corruption }
): void => {
  const life = awake(world, node)
  if (world.releases === undefined || life === undefined || !mayBeFound(world, node)) return
  const all = [...life.machine.applied.byModel].flatMap(([model, { rows, tombstones }]) =>
    Array.from((what === "tombstone" ? tombstones : rows).keys(), (id) => ({ model, id }))
  )
  const picked = all[Math.floor(share * all.length)]
  if (picked === undefined) return
  const { id, model } = picked
  life.wrong = what === "tombstone" ? ageTombstone(life, model, id) : changeRow(life, model, id, what)
  life.wasWrong = true
  world.checks.counts.corruptions++
}

/** A record that an entry replaces is right again. */
const changeRow = (
  { machine: { applied } }: Node.Life,
  model: string,
  id: string,
  what: "createdIndex" | "index"
): Disk.Snapshot["wrong"] => {
  const { rows } = applied.byModel.get(model)!
  const row = rows.get(id)!
  const changed = { ...row, [what]: row[what] + 1 }
  rows.set(id, changed)
  return ({ byModel }) => {
    const now = byModel.get(model)?.rows.get(id)
    return now?.[what] === changed[what] && (what === "createdIndex" || now.version === changed.version)
  }
}

const ageTombstone = ({ machine: { applied } }: Node.Life, model: string, id: string): Disk.Snapshot["wrong"] => {
  const { tombstones } = applied.byModel.get(model)!
  const tombstone = tombstones.get(id)!
  const changed = { ...tombstone, index: tombstone.index + 1 }
  tombstones.set(id, changed)
  return ({ byModel }) => {
    const now = byModel.get(model)?.tombstones.get(id)
    return now?.index === changed.index && now.sequence === changed.sequence
  }
}

/** Whether a wrong state exists anywhere, snapshots included. Members do not change meanwhile, so that a majority can tell. */
export const isAnyWrong = ({ nodes }: World): boolean =>
  nodes.some(({ disk, life }) => life?.wrong !== undefined || disk.snapshots.some(({ wrong }) => wrong !== undefined))

/** Whether no other state is wrong, and at least three voters can tell, in every configuration that may be in force. */
const mayBeFound = (world: World, { id }: Node.SimulatedNode): boolean => {
  const { configuration, configurationIndex } = world.checks
  const held = world.nodes.flatMap(({ disk, life }) => [
    ...Disk.configurationsOf(disk.entries),
    ...(life?.unsynced ?? []).flatMap(({ entries }) => Disk.configurationsOf(entries)),
    ...(life?.core.configurations ?? [])
  ])
  return (
    !isAnyWrong(world) &&
    configuration !== undefined &&
    configuration.outgoing === undefined &&
    configuration.voters.length >= 3 &&
    isMember(configuration, id) &&
    held.every(({ index }) => index <= configurationIndex)
  )
}

/** Whether all wrong states that a majority can find are right again. */
export const areRight = (world: World): boolean =>
  world.nodes.every((node) => !isToBeRight(world, node) || isRight(world, node))

const isRight = ({ checks }: World, { life }: Node.SimulatedNode): boolean =>
  life === undefined || (!life.core.isSuspect && (life.wrong === undefined || checks.counts.spread > 0))

/** A majority of other nodes must run, with states that they know to be right. */
const isToBeRight = ({ checks, nodes }: World, { id }: Node.SimulatedNode): boolean => {
  const { configuration } = checks
  if (configuration === undefined || !isMember(configuration, id)) return false
  const judges = nodes.filter((node) => {
    return node.id !== id && isVoter(configuration, node.id) && node.life !== undefined && node.life.wrong === undefined
  })
  return 2 * judges.length > configuration.voters.length
}
