/**
 * Stores records in the active version of their model, one small entry after another, after that version became active.
 * The node that decides does it, in a tenth of its time. Reading does not need it: it ends the need for a model's steps.
 * docs/evolution.md.
 */
import { Clock, Effect } from "effect"
import { type Pace, restsOf } from "../EventStore/Pace.ts"
import type { Command } from "../Machine/Command.ts"
import { isFormatActive, lifting } from "../Machine/Format.ts"
import type { LocalPart } from "../Machine/LocalPart.ts"
import type { Table } from "../Machine/Table.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"

/** How often a node looks for records to store anew. */
export const lookEveryMs = 1_000
/** The bounds of one entry: records, and characters of their JSON. One record may be larger. */
const entryRowsMax = 128
const entryCharsMax = 64 * 1024
/** How many rows it looks at before it rests. */
const lookedAtMax = 1_024
/** When it looks again at records of a model that it could not store anew: this release cannot read them. */
const lookAgainMs = 60_000
/** A tenth of the time: of the thread while it looks, and of the log while it waits for an entry. */
export const tenth: Pace = { restsPerWork: 9, restMaxMs: 200 }

/** Lifts records of these models for as long as this node decides. It never ends. */
export const liftRecords = (options: {
  readonly models: ReadonlyArray<Descriptor>
  /** The names of models that have ended: their records are forgotten in the same way. */
  readonly dropped: ReadonlyArray<string>
  readonly tables: () => Tables
  /** Whether this node decides: in the cluster's log, while it leads. */
  readonly mayDecide: () => boolean
  /** Decides a command in the log of the tables, and applies it. */
  readonly submit: (command: Command) => Effect.Effect<unknown, { readonly message: string }>
}): Effect.Effect<never> => {
  const { dropped, mayDecide, models, submit, tables } = options
  /** By model: when it is looked at again. */
  const againMs = new Map<string, number>()

  const liftModel = Effect.fnUntraced(function* ({ name: model, version }: Descriptor, table: Table) {
    const before = staleCount(table, version)
    const rest = yield* restsOf(tenth)
    for (const ids of batchesOf(table.rows.clone().entries(), version)) {
      if (!mayDecide()) return
      if (ids.length > 0) yield* submit({ _tag: "Lift", model, ids })
      yield* rest
    }
    const left = staleCount(tables().byModel.get(model), version)
    if (left === 0) return yield* Effect.logInfo(`All records of ${model} are stored in version ${version}`)
    if (left < before) return
    againMs.set(model, (yield* Clock.currentTimeMillis) + lookAgainMs)
    yield* Effect.logWarning(`${left} records of ${model} cannot be stored in version ${version}`)
  })

  const forgetModel = Effect.fnUntraced(function* (model: string, { rows, tombstones }: Table) {
    const rest = yield* restsOf(tenth)
    for (const map of [rows.clone(), tombstones.clone()]) {
      for (const ids of idsOf(map)) {
        if (!mayDecide()) return
        yield* submit({ _tag: "Forget", model, ids })
        yield* rest
      }
    }
    yield* Effect.logInfo(`All records of ${model} are forgotten`)
  })

  const look = Effect.gen(function* () {
    const nowMs = yield* Clock.currentTimeMillis
    for (const model of models) {
      const table = tables().byModel.get(model.name)
      const isDue = (againMs.get(model.name) ?? 0) <= nowMs
      if (!isDue || !mayDecide() || !isFormatActive(tables(), lifting)) continue
      if (table?.modelVersion !== model.version || staleCount(table, model.version) === 0) continue
      yield* unlessStopped(model.name, liftModel(model, table))
    }
    for (const name of dropped) {
      const table = tables().byModel.get(name)
      if (!mayDecide() || table?.isEnded !== true || table.rows.size + table.tombstones.size === 0) continue
      yield* unlessStopped(name, forgetModel(name, table))
    }
  })
  return Effect.forever(Effect.andThen(Effect.sleep(lookEveryMs), look))
}

/** Another node leads, or the log takes nothing now: the rest is done later. */
const unlessStopped = (model: string, work: Effect.Effect<void, { readonly message: string }>): Effect.Effect<void> =>
  Effect.catch(work, ({ message }) => Effect.logDebug(`Stopped to store records of ${model} anew: ${message}`))

/** The ids of a table, enough for one entry. */
function* idsOf(map: { readonly keys: () => IterableIterator<string> }): Generator<ReadonlyArray<string>> {
  let batch: Array<string> = []
  for (const id of map.keys()) {
    batch.push(id)
    if (batch.length < entryRowsMax) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** How many records are stored in earlier versions. */
export const staleCount = (table: Table | undefined, version: number): number => {
  let count = 0
  for (const [stored, each] of table?.countByVersion ?? []) if (stored < version) count += each
  return count
}

/** The ids of what is stored in earlier versions, enough for one entry; none where it has looked at many in vain. */
export function* batchesOf(
  stored: Iterable<readonly [id: string, Pick<LocalPart, "data" | "modelVersion">]>,
  version: number
): Generator<ReadonlyArray<string>> {
  let batch: Array<string> = []
  let chars = 0
  let lookedAt = 0
  for (const [id, { data, modelVersion = 1 }] of stored) {
    lookedAt += 1
    if (modelVersion < version) {
      const size = JSON.stringify(data).length
      if (batch.length > 0 && chars + size > entryCharsMax) {
        yield batch
        batch = []
        chars = 0
      }
      batch.push(id)
      chars += size
    }
    if (batch.length < entryRowsMax && lookedAt < lookedAtMax) continue
    yield batch
    batch = []
    chars = 0
    lookedAt = 0
  }
  yield batch
}
