/**
 * The projections of a simulated node as they run there: the real positions, folds and saves, over the node's own log and
 * files, at a pace that is drawn. What does it with fibers is Projection/Following.ts and Memory.ts.
 */
import { Result } from "effect"
import { inMemory } from "../../Cluster/Feed.ts"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { LogFailed } from "../../EventStore/LogStore.ts"
import { readRange } from "../../EventStore/MemoryLog.ts"
import * as Folding from "../../Projection/Folding.ts"
import * as Position from "../../Projection/Position.ts"
import { decode, encode } from "../../Projection/Saved.ts"
import type { Disk } from "./Disk.ts"
import { fail } from "./Failure.ts"
import * as Folds from "./Folds.ts"
import type { Life, SimulatedNode } from "./Node.ts"
import { type ProjectionName, projectionNames, projectionsOf, type Viewed } from "./Projections.ts"
import { awake, noteTrace, type World } from "./World.ts"

/** By the names of their projections. */
export type Followers = ReadonlyMap<ProjectionName, Follower>

export interface Follower {
  readonly viewed: Viewed
  readonly folding: Folding.Folding<unknown>
  /** A save under way: its bytes are made as they are written, while others fold on. */
  saving: ReturnType<typeof encode> | undefined
}

/** At the start of a node, from what was saved. */
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

/** Whether there is more for it: where it has ended, there never is. */
export const isBehind = ({ appliedIndex }: Life, { folding }: Follower): boolean =>
  folding.failure === undefined && Position.nextIndex(folding) <= appliedIndex

/** A projection takes its next page of what is applied. */
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
  const entries = read(node.disk, life, { fromIndex: Position.nextIndex(folding), toIndex: appliedIndex, maxBytes })
  if (Result.isFailure(entries)) {
    const unavailable = Position.endOf(folding, entries.failure)
    if (unavailable === undefined) return
    Position.end(folding, unavailable)
    checks.counts.unavailable++
    return
  }
  const page = entries.success.map(world.decodedOf)
  Position.given(folding, page)
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

/** As the feed of a node reads: recent entries from memory, others from disk. */
const read = (
  disk: Disk,
  { core }: Life,
  range: { readonly fromIndex: number; readonly toIndex: number; readonly maxBytes: number }
): Result.Result<ReadonlyArray<LogEntry>, LogFailed> => {
  const held = inMemory(core.log, range)
  return Result.flatMap(held, (entries) => (entries === undefined ? readRange(disk, range) : Result.succeed(entries)))
}

/** The save of a projection that is under way reaches the disk, whole, in place of the one before. */
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

/** Flips a bit of what was saved of a projection. */
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
 * In the end each projection reflects what its node applied, or more, where a former life saved more; but for those whose
 * history is not on their node any more.
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
