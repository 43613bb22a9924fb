/**
 * A cluster of pure cores over a simulated network, disks and clock, all drawn from one seed; faults until it heals.
 * Its members change, its logs are compacted and its leaders hand over meanwhile. Not the shell: RaftNode and the log's
 * bytes are tested elsewhere. What must hold is in SimulatorChecks.ts, what can happen in SimulatorAct.ts.
 */
import { isMember } from "../Raft/Configuration.ts"
import { shrink as shrinkList } from "./Shrinking.ts"
import type { Act } from "./SimulatorAct.ts"
import * as Checks from "./SimulatorChecks.ts"
import { draw } from "./SimulatorDraw.ts"
import type * as Node from "./SimulatorNode.ts"
import { perform } from "./SimulatorPerform.ts"
import * as Random from "./SimulatorRandom.ts"
import { make, type Options } from "./SimulatorSetup.ts"
import { nodeOf, type World } from "./SimulatorWorld.ts"

export type { Options } from "./SimulatorSetup.ts"

/** What a run came to; the same options always give the same result. */
export interface Result extends Checks.Counts {
  readonly failure: string | undefined
  readonly committed: number
  readonly elections: number
  /** Of all that happened on all nodes. */
  readonly traceHash: number
  /** What was done until it failed, or until the cluster healed. */
  readonly acts: ReadonlyArray<Act>
}

/** Runs one cluster through faults that its seed draws, heals it, and requires that it then agrees on something new. */
export const run = (options: Options): Result => {
  const { weather, world } = make(options)
  const random = Random.make(~options.seed)
  const acts: Array<Act> = []
  const failure = failureOf(() => {
    while (acts.length < options.stepCount) {
      for (const act of draw(world, weather, random)) {
        acts.push(act)
        perform(world, act)
      }
    }
    heal(world)
  })
  return resultOf(world, failure, acts)
}

/** Does these acts, and no others, to the cluster of a seed; then heals it. */
export const replay = (options: Options, acts: ReadonlyArray<Act>): Result => {
  const { world } = make(options)
  const failure = failureOf(() => {
    for (const act of acts) perform(world, act)
    heal(world)
  })
  return resultOf(world, failure, acts)
}

/** How often a failing run is done again to make it shorter. */
const shrinkAttemptsMaxCount = 4000

/** The same failure from as few acts as can be found: those before what they failed with, and nothing besides. */
export const shrink = (options: Options, { acts, failure }: Result): Result => {
  const kind = kindOf(failure)
  const kept = shrinkList(acts, (some) => kindOf(replay(options, some).failure) === kind, {
    attemptsMaxCount: shrinkAttemptsMaxCount
  })
  return replay(options, kept)
}

/** Failures of one kind differ in numbers only: of nodes, terms and entries. */
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
  const { committed, counts, leaders } = world.checks
  return { failure, committed: committed.length, elections: leaders.size, traceHash: world.trace, acts, ...counts }
}

/** No more faults: one leader must emerge, commit something new, and every member must apply it. */
const heal = (world: World): void => {
  perform(world, { _tag: "Mend" })
  for (const node of world.nodes) {
    node.pausedUntilMs = 0
    // What was told to shut down leads no more, and is started again like any other.
    if (node.state?.shutDown === true) perform(world, { _tag: "Crash", node: node.id, keptCount: 0 })
    perform(world, { _tag: "Start", node: node.id, isFromOldest: false })
  }
  const goal = world.checks.committed.length + 1
  for (let count = 0; count < 600; count++) {
    perform(world, { _tag: "Tick", random: (count * 0.382) % 1, missedBy: [] })
    for (let turns = 0; turns < 3; turns++) settle(world)
    const leader = world.nodes.find(({ state }) => state?.role._tag === "Leader")
    if (leader !== undefined && world.checks.committed.length < goal && count % 20 === 0) {
      perform(world, { _tag: "Propose", node: leader.id, bytes: [1] })
    }
    if (leader !== undefined && isHealed(world, leader, goal)) return
  }
  Checks.fail("the healed cluster agreed on nothing new")
}

/** Delivers what is under way, in order, and does what waits on each node. */
const settle = (world: World): void => {
  for (let left = world.network.length; left > 0; left--) {
    const { from, to } = world.network[0]!
    perform(world, { _tag: "Deliver", from, to, position: 0 })
  }
  for (const { id, unsynced } of world.nodes) {
    perform(world, { _tag: "Sync", node: id, count: unsynced.length, isForgotten: false })
    perform(world, { _tag: "ReadLog", node: id, count: 4 })
    for (const to of nodeOf(world, id).sending.keys()) {
      perform(world, { _tag: "SendSnapshot", node: id, to, isGivenUp: false })
    }
    perform(world, { _tag: "StoreChunk", node: id, crashes: false })
    perform(world, { _tag: "Apply", node: id })
  }
}

/** Every member of the configuration in force has applied `goal`, and no change is left half-way. */
const isHealed = (world: World, leader: Node.SimulatedNode, goal: number): boolean => {
  const { configuration } = leader.state!
  if (configuration.outgoing !== undefined) return false
  const members = world.nodes.filter(({ id }) => isMember(configuration, id))
  return members.every(({ applied }) => applied.index >= goal)
}
