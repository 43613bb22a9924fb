/**
 * Stores the local parts of mixed records in the active version of their model, in a tenth of the node's time, as
 * liftRecords.ts does for whole records. No other node reads them, so none must agree. docs/evolution.md.
 */
import { Effect } from "effect"
import { restsOf } from "../EventStore/Pace.ts"
import { type LocalPartsRequest, statesVersion } from "../Machine/LocalParts.ts"
import type { Table } from "../Machine/Table.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { batchesOf, lookEveryMs, staleCount, tenth } from "./liftRecords.ts"

/** Lifts the parts of these models for as long as this node runs. It never ends. */
export const liftParts = (options: {
  readonly models: ReadonlyArray<Descriptor>
  /** The tables of the node's own log. */
  readonly tables: () => Tables
  /** Whether the cluster writes the model in the version of this node's code. */
  readonly isActive: (descriptor: Descriptor) => boolean
  readonly submit: (request: LocalPartsRequest) => Effect.Effect<unknown, { readonly message: string }>
}): Effect.Effect<never> => {
  const { isActive, models, submit, tables } = options
  /** By model: how many parts could not be lifted, so that they are not looked at again until others come. */
  const left = new Map<string, number>()

  const liftModel = Effect.fnUntraced(function* (descriptor: Descriptor, table: Table) {
    const rest = yield* restsOf(tenth)
    for (const ids of batchesOf(table.localParts.clone().entries(), descriptor.version)) {
      if (ids.length > 0) yield* submit({ parts: [], lifts: ids.map((id) => ({ descriptor, id })) })
      yield* rest
    }
    const count = staleCount(tables().byModel.get(descriptor.name), descriptor.version)
    left.set(descriptor.name, count)
    yield* count === 0
      ? Effect.logInfo(`All local parts of ${descriptor.name} are stored in version ${descriptor.version}`)
      : Effect.logWarning(
          `${count} local parts of ${descriptor.name} cannot be stored in version ${descriptor.version}`
        )
  })

  const look = Effect.gen(function* () {
    for (const descriptor of models) {
      const table = tables().byModel.get(descriptor.name)
      const count = staleCount(table, descriptor.version)
      if (table === undefined || count === 0 || count === left.get(descriptor.name)) continue
      if (!isActive(descriptor) || !statesVersion(tables(), descriptor)) continue
      yield* liftModel(descriptor, table)
    }
    // The disk may have no room now: it tries again.
  }).pipe(Effect.ignore)
  return Effect.forever(Effect.andThen(Effect.sleep(lookEveryMs), look))
}
