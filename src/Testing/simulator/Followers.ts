/**
 * The projections of a simulated node: the real positions, folds and saves, over the node's own log and files, at a drawn
 * pace. In production the fibers of Projection/Following.ts and Memory.ts do this.
 */
import { Result } from "effect"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { compactedAway, type LogFailed } from "../../EventStore/LogStore.ts"
import { readRange } from "../../EventStore/MemoryLog.ts"
import * as Folding from "../../Projection/Folding.ts"
import * as Position from "../../Projection/Position.ts"
import { decode, encode } from "../../Projection/Saved.ts"
import { slice } from "../../Raft/core/RaftLog.ts"
import type { Disk } from "./Disk.ts"
import { fail } from "./Failure.ts"
import * as Folds from "./Folds.ts"
import type { Follower } from "./FollowerState.ts"
import type { Life, SimulatedNode } from "./Node.ts"
import { type ProjectionName, projectionNames, projectionsOf } from "./Projections.ts"
import { awake, noteTrace, type World } from "./World.ts"

/** Starts the projections of a node from their saves. */
export const start = ({ checks }: World, node: SimulatedNode): void => {
  const { disk, id, life, saveAfterCount, version } = node
  if (life === undefined) return
  const { counts } = checks
  const followers = projectionsOf(version).map((viewed): readonly [ProjectionName, Follower] => {
    const { name } = viewed
    const bytes = disk.derived.get(name)
    const saved = bytes === undefined ? Result.succeed(undefined) : decode(viewed.projection, bytes)
    const folding = Folding.begin(viewed.projection, saved, saveAfterCount)
    if (Result.isFailure(saved)) counts.rebuilds++
    if (folding.index > 0) counts.resumes++
    Folds.folded(checks.folds, id, viewed, { ...folding, tables: undefined })
    return [name, { viewed, folding, saving: undefined }]
  })
  life.followers = new Map(followers)
}

/** Whether a projection has entries to take. One that has ended never has. */
export const isBehind = ({ appliedIndex }: Life, { folding }: Follower): boolean =>
  folding.failure === undefined && Position.nextIndex(folding) <= appliedIndex

/** A projection takes its next page of applied entries. */
export const follow = (
  world: World,
  node: SimulatedNode,
  { maxBytes, projection }: { readonly projection: ProjectionName; readonly maxBytes: number }
): void => {
  const life = awake(world, node)
  const follower = life?.followers.get(projection)
  if (life === undefined || follower === undefined || !isBehind(life, follower)) return
  const { checks } = world
  const { folding, viewed } = follower
  const { appliedIndex } = life
  const entries = readApplied(node.disk, life, {
    fromIndex: Position.nextIndex(folding),
    toIndex: appliedIndex,
    maxBytes
  })
  if (Result.isFailure(entries)) {
    const unavailable = Position.endOf(folding, entries.failure)
    if (unavailable === undefined) return
    Position.end(folding, unavailable)
    checks.counts.unavailable++
    return
  }
  const page = entries.success.map(world.decodedOf)
  Position.given(folding, page, Position.nextIndex(folding))
  const taken = Folding.take(folding, page)
  if (Result.isFailure(taken)) fail(`${node.id}: ${taken.failure.message}`)
  if (folding.index > appliedIndex)
    fail(`${node.id}: ${projection} is at ${folding.index}, past applied ${appliedIndex}`)
  checks.counts.folds += page.length
  const tables = folding.index === appliedIndex ? life.machine.applied : undefined
  Folds.folded(checks.folds, node.id, viewed, { ...folding, tables })
  noteTrace(world, [Number(node.id), projectionNames.indexOf(projection), folding.index])
  // One save at a time.
  if (Folding.takeDue(folding)) follower.saving ??= encode(viewed.projection, Folding.snapshot(folding))
}

/** Reads as the feed of a node does: recent entries from memory, others from disk. */
export const readApplied = (
  disk: Disk,
  { core }: Life,
  range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
): Result.Result<ReadonlyArray<LogEntry>, LogFailed> => {
  if (range.fromIndex < core.log.firstIndex) return Result.fail(compactedAway(range.fromIndex, core.log))
  const held = slice(core.log, range)
  return held.length > 0 ? Result.succeed(held) : readRange(disk, range)
}

/** The save under way of a projection reaches the disk, whole, in place of the one before. */
export const save = (world: World, node: SimulatedNode, projection: ProjectionName): void => {
  const follower = awake(world, node)?.followers.get(projection)
  if (follower?.saving === undefined || world.nowMs < node.stalledUntilMs) return
  const parts = [...follower.saving].map((part) => {
    return Result.isSuccess(part) ? part.success : fail(`${node.id}: cannot save ${projection}: ${part.failure}`)
  })
  node.disk.derived.set(projection, Buffer.concat(parts))
  follower.saving = undefined
  world.checks.counts.saves++
}

/** Flips a bit in the save of a projection. */
export const damage = (
  { disk }: SimulatedNode,
  { projection, share }: { readonly projection: ProjectionName; readonly share: number }
): void => {
  const saved = disk.derived.get(projection)
  if (saved === undefined) return
  const bit = Math.floor(share * 8 * saved.length)
  const damaged = Uint8Array.from(saved)
  damaged[bit >> 3]! ^= 1 << (bit & 7)
  disk.derived.set(projection, damaged)
}

/**
 * In the end each projection reflects all that its node applied, or more if a former life saved more. Projections whose
 * history is no longer on their node are excepted.
 */
export const settled = (world: World): void => {
  for (const node of world.nodes) {
    const { id, life } = node
    if (life === undefined) continue
    for (const [name, follower] of life.followers) {
      const { folding } = follower
      for (let last = -1; isBehind(life, follower) && folding.index > last; ) {
        last = folding.index
        follow(world, node, { projection: name, maxBytes: 65_536 })
      }
      const { failure, index } = folding
      if (failure !== undefined && failure.index >= life.core.log.firstIndex) {
        fail(
          `${id}: ${name} is unavailable at entry ${failure.index}, and the log begins at ${life.core.log.firstIndex}`
        )
      }
      if (failure === undefined && index < life.appliedIndex) fail(`${id}: ${name} stays at entry ${index}`)
    }
  }
  Folds.areOfLog(world.checks.folds, world.checks.committed.map(world.decodedOf))
}
