/**
 * What a simulated node with rules offers to readers in one life: the real rules, lists, pasts, followers and live queries,
 * over the tables and the log of the node. In production the fibers of Changes/Changes.ts and Live/LiveQueries.ts run them.
 */
import { Effect, Exit, Result } from "effect"
import type { Caller } from "../../Access/Caller.ts"
import * as Formers from "../../Changes/Formers.ts"
import type { Log } from "../../Changes/Log.ts"
import type { AppliedEntry } from "../../Cluster/Feed.ts"
import * as Engine from "../../Live/Engine.ts"
import type { ListSource } from "../../Machine/ListedRows.ts"
import { unseenBy } from "../../Machine/Seen.ts"
import type { Descriptor } from "../../Model/Descriptor.ts"
import { settleNow } from "../../Raft/node/Settle.ts"
import * as Past from "../../Repository/Past.ts"
import { type Judging, readReach } from "../../Repository/Reading.ts"
import { entryAt } from "./Disk.ts"
import { readApplied } from "./Followers.ts"
import type { Life, SimulatedNode } from "./Node.ts"
import type { Ruled } from "./Papers.ts"
import type { Served, Sight } from "./SightState.ts"
import type { World } from "./World.ts"

/** The state by which a node judges what readers may read now. No credential of theirs ends. */
export const judging = ({ policy }: Ruled, { machine }: Life): Judging => ({
  policy,
  tables: machine.applied,
  nowMs: 0
})

/** The records of a model, as the tables are now. */
export const sourceOf = ({ machine }: Life, { idField, name }: Descriptor): ListSource => ({
  table: machine.applied.byModel.get(name)!,
  idField
})

/** The first entry of the log that a node has. The disk may still hold a log that an installed snapshot replaces. */
export const oldestIndex = ({ disk }: SimulatedNode, { core }: Life): number =>
  Math.max(disk.firstIndex, core.log.firstIndex)

const entryOf = (world: World, node: SimulatedNode, life: Life, index: number): AppliedEntry | undefined => {
  const entry = index < oldestIndex(node, life) || index > life.appliedIndex ? undefined : entryAt(node.disk, index)
  return entry === undefined ? undefined : world.decodedOf(entry)
}

/** The log of a node, as followers of changes read it. They never wait: they step only once there is something. */
export const logOf = (
  world: World,
  node: SimulatedNode,
  { findFormer, life }: Pick<Served, "findFormer" | "life">
): Log => ({
  instance: undefined,
  tables: () => life.machine.applied,
  findFormer,
  freshen: Effect.void,
  staleMs: () => undefined,
  oldestIndex: () => oldestIndex(node, life),
  appliedIndex: () => life.appliedIndex,
  applied: () => Effect.never,
  isPlace: () => true,
  read: ({ fromIndex, maxBytes }) =>
    Effect.suspend(() =>
      Effect.fromResult(
        Result.map(readApplied(node.disk, life, { fromIndex, toIndex: life.appliedIndex, maxBytes }), (entries) =>
          entries.map(world.decodedOf)
        )
      )
    )
})

const servedIn = new WeakMap<Life, Served>()

/** What a node offers in its life. It is made when somebody asks for it first. */
export const servedBy = (world: World, sight: Sight, node: SimulatedNode, life: Life): Served => {
  const known = servedIn.get(life)
  if (known !== undefined) return known
  const { ruled } = sight.truth
  const entry = (index: number) => Effect.sync(() => entryOf(world, node, life, index)?.transaction)
  const { machine } = life
  const engine = Engine.make(
    (descriptor) => ({ source: sourceOf(life, descriptor), index: life.appliedIndex }),
    () => life.appliedIndex
  )
  const served: Served = {
    life,
    findFormer: Formers.make(entry),
    engine,
    rightsAt: 0,
    pasts: Past.make(
      {
        // No model stays on a node here.
        local: {
          get tables() {
            return machine.applied
          },
          entry
        },
        member: {
          get tables() {
            return machine.applied
          },
          feed: {
            entry: (index) => Effect.sync(() => entryOf(world, node, life, index)),
            // No restore began this log.
            archived: () => Effect.succeed(undefined)
          }
        }
      },
      {
        beginRead: (caller, descriptor, _, value) => (settle) => {
          const reach = readReach(judging(ruled, life), caller, descriptor)
          return settleNow(
            settle,
            Result.isFailure(reach)
              ? Exit.fail(reach.failure)
              : Exit.map(value(reach.success), (found) => ({ value: found, logIndex: life.appliedIndex }))
          )
        },
        unseenOf: (caller: Caller, descriptor) => unseenBy(ruled.policy, caller, descriptor)
      }
    )
  }
  machine.watchers.add({
    touched: (model, id) => {
      engine.touch(model, id)
      if (model === "Membership") served.rightsAt++
    },
    replaced: () => {
      engine.touchAll()
      served.rightsAt++
    }
  })
  servedIn.set(life, served)
  return served
}
