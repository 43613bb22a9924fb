/** Checks a stopped node's directory against the models of a release, before that release runs. docs/evolution.md. */
import { Effect, Layer } from "effect"
import * as ReplicatedMachine from "../Cluster/ReplicatedMachine.ts"
import { Directory, layerDirectory, readIdentity } from "../EventStore/Directory.ts"
import { LogStore } from "../EventStore/LogStore.ts"
import { messageOf, reportsOf } from "../Local/checkModels.ts"
import * as LocalSnapshots from "../Local/LocalSnapshots.ts"
import { replay } from "../Local/replay.ts"
import * as Machine from "../Machine/Machine.ts"
import { describeReport, isFit, type ModelReport } from "../Machine/ModelCheck.ts"
import { type Described, describe } from "../Model/Class.ts"
import type { Descriptor, Kept } from "../Model/Descriptor.ts"
import { type Dropped, split } from "../Model/Dropped.ts"
import { restoreNewest } from "../Raft/node/restoreMachine.ts"
import type { StorageFailure } from "./Storage.ts"

/** The result of a check. */
export interface Checked {
  /** Whether a node with these models would serve this directory. */
  readonly fits: boolean
  /** The reports as a text for people. */
  readonly message: string
  readonly reports: ReadonlyArray<ModelReport>
}

/**
 * Checks whether a release with these models can read all that a stopped node has stored: its snapshot and its whole
 * log, entries included that the cluster has not committed yet. A node makes the same check when it starts. It fails
 * like a node that cannot open its directory, also where a node runs on it.
 *
 * @example
 * ```ts
 * import { Console, Effect, Schema } from "effect"
 * import { Lithair, Model } from "lithair"
 *
 * class Product extends Model.Class<Product>("Product")({
 *   id: Model.id(Schema.String.check(Schema.isUUID())),
 *   name: Schema.NonEmptyString.pipe(Model.replicate)
 * }) {}
 *
 * export const program = Effect.gen(function* () {
 *   const { fits, message } = yield* Lithair.check({ models: [Product], directory: ".lithair/8081" })
 *   yield* Console.log(fits ? "The stored records fit." : message)
 * })
 * ```
 */
export const check = (options: {
  readonly models: ReadonlyArray<Described | Dropped>
  readonly directory: string
}): Effect.Effect<Checked, StorageFailure> =>
  Effect.gen(function* () {
    const { directory, models } = options
    const { nodeId } = yield* readIdentity(directory)
    const descriptors = split(models).models.map(describe)
    const opened = yield* Layer.build(layerDirectory({ directory, nodeId }))
    return yield* Effect.provideContext(checkOpened(descriptors), opened)
  }).pipe(Effect.scoped)

const checkOpened = Effect.fnUntraced(function* (descriptors: ReadonlyArray<Descriptor>) {
  const { localSnapshots, log, snapshots } = yield* Directory
  const of = (...modes: ReadonlyArray<Kept>) => descriptors.filter(({ mode }) => modes.includes(mode))
  const replicated = yield* Effect.provide(replicatedTables(descriptors), Layer.merge(log("log"), snapshots))
  const own = yield* Effect.provide(localTables(of("local")), Layer.merge(log("local"), localSnapshots))
  const reports = [
    ...(yield* reportsOf(replicated, of("replicated", "mixed"))),
    ...(yield* reportsOf(own, of("mixed", "local")))
  ]
  const unfit = reports.filter((report) => !isFit(report))
  const fits = unfit.length === 0
  return { fits, message: fits ? reports.map(describeReport).join("\n") : messageOf(unfit), reports }
})

const replicatedTables = Effect.fnUntraced(function* (descriptors: ReadonlyArray<Descriptor>) {
  const machine = Machine.make(descriptors)
  const store = yield* LogStore
  const restorable = ReplicatedMachine.make(machine, { newId: () => "", monotonicMs: () => 0 })
  const restored = yield* restoreNewest(restorable, "counted", store.recovered.firstIndex - 1)
  yield* replay(machine, store, restored?.index ?? 0)
  return machine.applied
})

const localTables = Effect.fnUntraced(function* (descriptors: ReadonlyArray<Descriptor>) {
  const machine = Machine.make(descriptors)
  machine.applied = (yield* LocalSnapshots.restoreNewest(descriptors)) ?? machine.applied
  yield* replay(machine, yield* LogStore)
  return machine.applied
})
