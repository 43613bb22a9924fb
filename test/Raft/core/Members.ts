/** Real members for tests: real files, a network in memory, real time with bounded waits. */

import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Context, Effect, Layer, Schedule } from "effect"
import * as Member from "../../../src/Cluster/Member.ts"
import { layer as layerMember } from "../../../src/Cluster/makeMember.ts"
import { Directory, layerDirectory } from "../../../src/EventStore/Directory.ts"
import type { Formats } from "../../../src/Machine/Format.ts"
import type { Descriptor } from "../../../src/Model/Descriptor.ts"
import type { RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import { layerMemory, type MemoryNetwork } from "../../../src/Raft/peers/MemoryNetwork.ts"
import { Transport } from "../../../src/Raft/peers/Transport.ts"
import { descriptors } from "../../Machine/Store.ts"

export type Running = Member.Member["Service"]

export const ids = ["a", "b", "c"]

/** Small, so that a few hundred writes are many snapshots, and history is let go. */
export const littleHistory: Partial<RaftConfig> = { snapshotAfterBytes: 20_000, logRetainedCount: 20 }

/** For a cluster of one. */
export const alone = { isAlone: true } as const

export const selfOf = (nodeId: string, instanceId = nodeId) => {
  const peers = ids.filter((id) => id !== nodeId).map((id) => ({ id, address: id }))
  return { nodeId, address: nodeId, instanceId, peers }
}

/** Starts a member over its directory under `root`; what it sends passes through `links`. */
export const startMember = (
  network: MemoryNetwork,
  root: string,
  nodeId: string,
  options: {
    readonly instanceId?: string
    readonly config?: Partial<RaftConfig>
    readonly links?: (whole: Transport["Service"]) => Transport["Service"]
    readonly formats?: Formats
    readonly models?: ReadonlyArray<Descriptor>
    /** A cluster of one, without peers. */
    readonly isAlone?: boolean
    readonly tamperEvident?: boolean
    /** Where it says that it runs; its id by default. */
    readonly address?: string
    /** Whether it tells peers of the starts in its directory. */
    readonly tellsStarts?: boolean
  } = {}
) => {
  const {
    config = {},
    formats,
    instanceId,
    links = (whole) => whole,
    models = descriptors,
    tamperEvident = false
  } = options
  const transport = Layer.effect(Transport, Effect.map(Transport, links))
  const over = ({ starts }: Directory["Service"]) => {
    const self = {
      ...selfOf(nodeId, instanceId),
      ...(options.address === undefined ? {} : { address: options.address }),
      ...(options.isAlone === true ? { peers: [] } : {}),
      ...(options.tellsStarts === true ? { starts } : {})
    }
    return layerMember({ self, models, config, tamperEvident, ...(formats === undefined ? {} : { formats }) }).pipe(
      Layer.provide(Layer.provide(transport, layerMemory({ network, self })))
    )
  }
  return Layer.unwrap(Effect.map(Directory, over)).pipe(
    Layer.provide(layerDirectory({ directory: join(root, nodeId), nodeId })),
    Layer.build,
    Effect.map((context) => Context.get(context, Member.Member))
  )
}

/** A directory of its own, for as long as the scope. */
export const directory = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "lithair-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true }))
)

/** Waits, for 20 s at most. */
export const until = (what: string, holds: () => boolean) =>
  Effect.suspend(() => (holds() ? Effect.void : Effect.fail(new Error(`Never came true: ${what}`)))).pipe(
    Effect.retry({ schedule: Schedule.spaced("10 millis"), times: 2000 })
  )
