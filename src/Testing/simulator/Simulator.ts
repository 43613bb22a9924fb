/**
 * Simulates a whole cluster from one seed. Real are the core, the shell's own bookkeeping (CommandQueue, WaitingReads), the
 * machine with its sessions and snapshots, the projections, and the log as bytes, which every start recovers. Network,
 * disks and clocks are simulated. Clients and an operator use the cluster, and faults meet it until it heals. Act.ts lists
 * the acts; Checks.ts, Folds.ts, Promises.ts and History.ts check the run; Liveness.ts checks its progress under load.
 *
 * Not simulated: fibers (RaftNode, Member); sockets (messages are values, and a forwarded request is lost only with its
 * link or a node); the calls to the file system (Files.ts names them): a failed call is a crash here, and a full disk a
 * stall; the files of snapshots, which are stored and sent as their content.
 */
import { type Configuration, isMember } from "../../Raft/core/Configuration.ts"
import * as Configurations from "../../Raft/core/Configurations.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import { shrink as shrinkList } from "../Shrinking.ts"
import type { Act } from "./Act.ts"
import { mayAgree } from "./Agreement.ts"
import type * as Checks from "./Checks.ts"
import type { Counts } from "./ClientState.ts"
import { draw, drawFollowing, drawRot } from "./Draw.ts"
import { drawSight } from "./DrawSight.ts"
import { fail } from "./Failure.ts"
import * as Followers from "./Followers.ts"
import { judge } from "./History.ts"
import * as Liveness from "./Liveness.ts"
import { accounts, registers } from "./Models.ts"
import * as Money from "./Money.ts"
import * as Node from "./Node.ts"
import { settle } from "./Peace.ts"
import { perform } from "./Perform.ts"
import * as Random from "./Random.ts"
import { followingSalt, make, type Options, rottingSalt, sightSalt } from "./Setup.ts"
import * as Sight from "./Sight.ts"
import type * as SightState from "./SightState.ts"
import * as States from "./States.ts"
import { nodeOf, type World } from "./World.ts"

export type { Options } from "./Setup.ts"

/** The result of a run. The same options always give the same result. */
export interface Result extends Checks.Counts, Counts {
  readonly failure: string | undefined
  readonly committed: number
  readonly elections: number
  /** Attempts of clients with an outcome, and attempts that were refused as certainly not done. */
  readonly acknowledged: number
  readonly refused: number
  /** Keys of clients that expired and are forgotten. */
  readonly forgotten: number
  /** What readers did in a run with rules. */
  readonly sight: (SightState.Counts & { readonly judged: number }) | undefined
  /** A hash of everything that happened on all nodes. */
  readonly traceHash: number
  /** The acts until the failure, or until the cluster healed. */
  readonly acts: ReadonlyArray<Act>
}

/** Runs one cluster through the faults of its seed, heals it, and requires that it then commits a new entry. */
export const run = (options: Options): Result => {
  const { weather, world } = make(options)
  const random = Random.make(~options.seed)
  const following = Random.make(~options.seed ^ followingSalt)
  const rotting = Random.make(~options.seed ^ rottingSalt)
  const seeing = Random.make(~options.seed ^ sightSalt)
  const acts: Array<Act> = []
  let followedCount = 0
  const failure = failureOf(() => {
    while (acts.length - followedCount < options.stepCount) {
      for (const act of draw(world, weather, random)) {
        acts.push(act)
        perform(world, act)
      }
      for (const act of drawRot(world, rotting)) {
        acts.push(act)
        perform(world, act)
      }
      for (const act of [drawFollowing(world, following), drawSight(world, seeing)]) {
        if (act === undefined) continue
        followedCount++
        acts.push(act)
        perform(world, act)
      }
    }
    end(world)
  })
  return resultOf(world, failure, acts)
}

/** Performs these acts, and no others, on the cluster of a seed; then heals it. */
export const replay = (options: Options, acts: ReadonlyArray<Act>): Result => {
  const { world } = make(options)
  const failure = failureOf(() => {
    for (const act of acts) perform(world, act)
    end(world)
  })
  return resultOf(world, failure, acts)
}

/** The most attempts to shorten a failing run. */
const attemptsMaxCount = 8000

/** Finds a short run with the same failure; and clocks that miss no tick, if the failure does not need them to. */
export const shrink = (options: Options, { acts, failure }: Result): Result => {
  const kind = kindOf(failure)
  const fails = (some: ReadonlyArray<Act>) => kindOf(replay(options, some).failure) === kind
  const even = acts.map((act) => (act._tag === "Tick" ? { ...act, missedBy: [] } : act))
  const begun = fails(even) ? even : acts
  return replay(options, shrinkList(begun, { fails, kindsOf, attemptsMaxCount }))
}

/** The kinds of an act: what it does, and to whom. */
const kindsOf = (act: Act): ReadonlyArray<string> => [
  act._tag,
  ...("node" in act ? [`${act._tag} ${act.node}`] : []),
  ...("client" in act ? [`client ${act.client}`] : []),
  ...("visitor" in act ? [`reader ${act.visitor}`] : []),
  ...("from" in act ? [`${act._tag} ${act.from}>${act.to}`] : [])
]

/** Failures of one kind differ only in numbers: of nodes, terms and entries. */
const kindOf = (failure: string | undefined): string | undefined => failure?.replaceAll(/\d+/g, "#")

const failureOf = (body: () => void): string | undefined => {
  try {
    body()
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

const resultOf = (world: World, failure: string | undefined, acts: ReadonlyArray<Act>): Result => {
  const { committed, counts, leaders, promises } = world.checks
  return {
    failure,
    acts,
    committed: committed.length,
    elections: leaders.size,
    acknowledged: promises.acknowledgedCount,
    refused: promises.refusedCount,
    forgotten: promises.keys.forgottenAt.size,
    sight: world.sight === undefined ? undefined : { ...world.sight.counts, judged: world.sight.truth.judgedCount },
    traceHash: world.trace,
    ...counts,
    ...world.clients.counts
  }
}

/** The checks at the end: first under load without new faults, then after the cluster has healed. */
const end = (world: World): void => {
  restore(world)
  Liveness.judge(world)
  heal(world)
  Followers.settled(world)
  Sight.settled(world)
  judge(world.clients.history)
}

/** Ends the faults: links are whole, and every node that can start runs. */
const restore = (world: World): void => {
  perform(world, { _tag: "Mend" })
  for (const { id, life } of world.nodes) {
    if (life !== undefined) life.pausedUntilMs = 0
    nodeOf(world, id).stalledUntilMs = 0
    // A node that was told to shut down no longer leads. It starts again like any other.
    if (life?.core.shutDown === true) perform(world, { _tag: "Crash", node: id, ...Node.nothing })
    perform(world, { _tag: "Start", node: id, isFromOldest: false })
  }
}

/** When an operator restarts members that wait for a leader in vain: long after the others have elected one, if they can. */
const restartsAtCount = 300

/**
 * A suspect member that needs a leader's snapshot waits for a leader. If its log is the longest, nobody else can lead, and
 * its operator restarts it (docs/guarantees.md).
 */
const restartSuspects = (world: World): void => {
  for (const { disk, id, life } of world.nodes) {
    if (life?.core.isSuspect !== true || disk.firstIndex === 1) continue
    perform(world, { _tag: "Crash", node: id, ...Node.nothing })
    perform(world, { _tag: "Start", node: id, isFromOldest: false })
  }
}

/** Clients are silent. One leader must emerge and commit a new entry, and every member must apply it. */
const heal = (world: World): void => {
  for (const client of world.clients.all.keys()) perform(world, { _tag: "GiveUp", client })
  const goal = world.checks.committed.length + 1
  for (let count = 0; count < 600; count++) {
    settle(world, count)
    const leader = world.nodes.find(({ life }) => life?.core.role._tag === "Leader")
    if (leader === undefined) {
      if (count === restartsAtCount) restartSuspects(world)
      continue
    }
    if (world.checks.committed.length < goal && count % 20 === 0) write(world, leader.id)
    if (!isHealed(world, leader, goal) || !States.areRight(world)) continue
    readEverywhere(world, leader.life!.core.configuration, count)
    for (const { id, life } of world.nodes) if (life !== undefined) Money.isRecorded(id, life.machine.applied)
    return
  }
  const wrong = world.nodes.find(({ life }) => life?.wrong !== undefined || life?.core.isSuspect)
  if (wrong !== undefined && !States.areRight(world)) fail(`the state of ${wrong.id} is still wrong`)
  if (mayAgree(world)) fail("the healed cluster agreed on nothing new")
}

const write = (world: World, node: NodeId): void => {
  perform(world, { _tag: "GiveUp", client: 0 })
  perform(world, { _tag: "Request", client: 0, node, request: { _tag: "Append" }, isKeyed: false })
}

/** How often a read is tried, a tick apart: longer than a suspect node needs to rebuild its state and be believed. */
const triesMaxCount = 100

/**
 * Whether a majority with a wrong state calls this node's right state wrong. A snapshot has spread the wrong state before
 * the alarm. The node then serves no reads: no vote can tell which state is right.
 */
const isOutvoted = (world: World, { life }: World["nodes"][number]): boolean =>
  world.checks.counts.spread > 0 && life?.comparing.isSuspect === true && !life.wasWrong

/** Requires that every member serves a linearizable read of every record, with all acknowledged writes. */
const readEverywhere = (world: World, configuration: Configuration, healedAtCount: number): void => {
  const members = world.nodes.filter(({ id, refusal }) => refusal === undefined && isMember(configuration, id))
  let count = healedAtCount
  for (const member of members) {
    const { id: node } = member
    for (const key of [...registers, ...accounts]) {
      perform(world, { _tag: "GiveUp", client: 0 })
      const before = world.clients.counts.reads
      const isDone = () => world.clients.counts.reads > before || isOutvoted(world, member)
      for (let tries = 0; tries < triesMaxCount && !isDone(); tries++) {
        perform(world, {
          _tag: "Request",
          client: 0,
          node,
          request: { _tag: "Read", key, mayLease: false },
          isKeyed: false
        })
        settle(world, ++count)
      }
      if (!isDone()) fail(`the healed node ${node} does not read ${key}`)
    }
  }
}

/** Whether every member of the configuration in force has applied `goal`, and no change of members is under way. */
const isHealed = (world: World, leader: Node.SimulatedNode, goal: number): boolean => {
  const { commitIndex, configurations } = leader.life!.core
  const { configuration, index } = Configurations.latest(configurations)
  if (configuration.outgoing !== undefined || index > commitIndex) return false
  const members = world.nodes.filter(({ id, refusal }) => refusal === undefined && isMember(configuration, id))
  return members.every(({ disk, life }) => {
    return life !== undefined && life.appliedIndex >= goal && disk.lost === undefined
  })
}
