/**
 * Judges that a cluster advances while clients use it. Faults are over, but for a short one now and then. Within a stated
 * number of beats every reachable member comes nearer to its leader's log, whether clients read, write or do both. The
 * judgement comes before clients stop, since quiet heals what a busy leader neglects.
 */
import { isMember, membersOf } from "../../Raft/core/Configuration.ts"
import type { NodeId } from "../../Raft/core/Message.ts"
import { fail } from "./Failure.ts"
import { accounts, registers } from "./Models.ts"
import * as Node from "./Node.ts"
import { settle } from "./Peace.ts"
import { perform } from "./Perform.ts"
import type { Request } from "./Request.ts"
import type { World } from "./World.ts"

/**
 * After this many beats a member that lacks entries has got some of them: its leader finds out about lost messages after
 * an election timeout of six beats, then gets an answer to a probe, and sends entries.
 */
export const advancesWithinBeats = 12

const phaseTicks = 35
const shockTicks = 3
/** Two of the clients send a request in every tick, more often than a leader beats. */
const loadClients = [1, 2]
/** Clients wait no longer than this: a request may be lost with its leader. */
const giveUpAfterTicks = 20

/** How far a member was, under one leader, when it last came nearer or lacked nothing. */
interface Seen {
  readonly term: number
  readonly matchIndex: number
  readonly sinceMs: number
}

/** Goes on under load, with a short fault at the beginning of each phase. Fails if a member does not advance. */
export const judge = (world: World): void => {
  const seen = new Map<NodeId, Seen>()
  let tick = 0
  for (const shock of [undefined, cutOff, restart]) {
    const mend = shock?.(world)
    for (const endTick = tick + phaseTicks; tick < endTick; tick++) {
      if (mend !== undefined && endTick - tick === phaseTicks - shockTicks) mend()
      load(world, tick)
      settle(world, tick)
      for (const { id, life } of world.nodes) if (life?.core.role._tag === "Leader") observe(world, id, seen)
    }
  }
}

/** A member that follows is out of reach for a moment, and misses a write. */
const cutOff = (world: World): (() => void) | undefined => {
  const victim = victimOf(world)
  if (victim === undefined) return undefined
  for (const { id } of world.nodes) {
    if (id === victim.id) continue
    perform(world, { _tag: "Cut", from: id, to: victim.id })
    perform(world, { _tag: "Cut", from: victim.id, to: id })
  }
  write(world)
  return () => perform(world, { _tag: "Mend" })
}

/** A member that follows dies, misses a write, and comes back. */
const restart = (world: World): (() => void) | undefined => {
  const victim = victimOf(world)
  if (victim === undefined) return undefined
  perform(world, { _tag: "Crash", node: victim.id, ...Node.nothing })
  write(world)
  return () => perform(world, { _tag: "Start", node: victim.id, isFromOldest: false })
}

const leaderOf = ({ nodes }: World): Node.SimulatedNode | undefined =>
  nodes.find(({ life }) => life?.core.role._tag === "Leader")

const victimOf = (world: World): Node.SimulatedNode | undefined => {
  const leader = leaderOf(world)
  const configuration = leader?.life?.core.configuration
  return world.nodes.find(({ id, life }) => {
    return life !== undefined && id !== leader?.id && configuration !== undefined && isMember(configuration, id)
  })
}

/** The write that the victim misses, whatever else clients do. */
const write = (world: World): void => {
  const leader = leaderOf(world)
  if (leader === undefined) return
  ask(world, 0, leader.id, { _tag: "Append" })
  perform(world, { _tag: "Turn", node: leader.id })
}

const load = (world: World, tick: number): void => {
  const leader = leaderOf(world)
  if (leader === undefined) return
  for (const client of loadClients) {
    if (world.clients.all[client]!.current === undefined) ask(world, client, leader.id, requestOf(world, client, tick))
    else if (tick % giveUpAfterTicks === 0) perform(world, { _tag: "GiveUp", client })
  }
}

const requestOf = ({ profile }: World, client: number, tick: number): Request => {
  const reads = profile === "read-only" || (profile === "mixed" && client === loadClients[0])
  const keys = [...registers, ...accounts]
  return reads ? { _tag: "Read", key: keys[(tick + client) % keys.length]!, mayLease: false } : { _tag: "Append" }
}

const ask = (world: World, client: number, node: NodeId, request: Request): void => {
  if (client === 0) perform(world, { _tag: "GiveUp", client })
  perform(world, { _tag: "Request", client, node, request, isKeyed: false })
}

/** Looks at every member of a leader that it can reach. */
const observe = (world: World, leader: NodeId, seen: Map<NodeId, Seen>): void => {
  const core = world.nodes.find(({ id }) => id === leader)?.life?.core
  if (core?.role._tag !== "Leader") return
  const { currentTerm: term, nowMs } = core
  for (const { id } of membersOf(core.configuration)) {
    const progress = core.role.progress.get(id)
    if (progress === undefined) continue
    const { matchIndex } = progress
    const before = seen.get(id)
    if (before !== undefined && before.term > term) continue
    const isNew = before?.term !== term
    const advances = isNew || matchIndex > before.matchIndex || matchIndex >= core.log.lastIndex
    if (advances || !isReachable(world, leader, id)) {
      if (!isNew && advances && nowMs - before.sinceMs > core.config.heartbeatIntervalMs) {
        world.checks.counts.catchUps++
      }
      seen.set(id, { term, matchIndex, sinceMs: nowMs })
      continue
    }
    const beats = (nowMs - before.sinceMs) / core.config.heartbeatIntervalMs
    if (beats > advancesWithinBeats) {
      const where = `at entry ${matchIndex} of ${core.log.lastIndex}, in mode ${progress.mode._tag}`
      fail(`${id} stands still ${where}, for ${Math.round(beats)} beats of ${leader} under ${world.profile} load`)
    }
  }
}

const isReachable = ({ cut, nodes }: World, leader: NodeId, member: NodeId): boolean =>
  nodes.some(({ id, life }) => id === member && life !== undefined) &&
  !cut.has(`${leader}>${member}`) &&
  !cut.has(`${member}>${leader}`)
