/**
 * Checks the replicated records against the models of this release before this node carries out or forwards any request.
 * The check needs all that the cluster has committed, so it waits for a quorum first. docs/evolution.md.
 */
import { Effect, Schedule } from "effect"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import { checkModels, type ModelMismatch } from "../Local/checkModels.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { NotDone } from "../Raft/node/Outcome.ts"
import type { RaftNode } from "../Raft/node/RaftNode.ts"
import { outcomeOf } from "../Raft/node/Settle.ts"

/** How long one read index may take, and how long this waits after one that failed. */
const readTimeoutMs = 1_000
const askAgainMs = 100

/** Waits until this node has applied what the cluster has committed, and checks it. */
export const modelsChecked = (options: {
  readonly node: Pick<RaftNode<never, never>, "readIndex">
  readonly tables: () => Tables
  readonly models: ReadonlyArray<Descriptor>
  readonly derived: DerivedFiles
}): Effect.Effect<void, ModelMismatch | LogFailed> =>
  Effect.gen(function* () {
    const { derived, models, node } = options
    const asked = outcomeOf<number, NotDone>((settle) => node.readIndex(readTimeoutMs, settle))
    yield* Effect.orDie(Effect.retry(asked, Schedule.spaced(askAgainMs)))
    const descriptors = models.filter(({ mode }) => mode !== "local")
    yield* checkModels({ tables: options.tables(), descriptors, derived, name: "models" })
  })
