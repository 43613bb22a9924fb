/**
 * Rebuilds the state of a cluster from a snapshot's content and the entries after it, without the models: `evolve` runs
 * no model code (D2). Pure but for the state that it owns.
 */
import { Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import * as Erasure from "../Machine/Erasure.ts"
import * as Evidence from "../Machine/Evidence.ts"
import { evolve } from "../Machine/evolve.ts"
import * as Snapshot from "../Machine/Snapshot.ts"
import * as Tables from "../Machine/Tables.ts"
import { decode, type Transaction } from "../Machine/Transaction.ts"
import { applyErasures, type ListedErasure } from "./ApplyErasures.ts"
import { checking, type EvidenceCheck, type KeptDigest } from "./CheckEvidence.ts"

/** The point to stop at: the last entry, or the last one that was decided by then. */
export type Point =
  | { readonly _tag: "Index"; readonly index: number }
  | { readonly _tag: "Time"; readonly timeMs: number }

/** The state after an entry. */
export interface StateAt {
  readonly tables: Tables.Tables
  readonly index: number
  readonly term: number
}

/** Takes the parts in order. The first thing that is wrong is returned by {@link Replay.end}. */
export interface Replay {
  readonly snapshot: (content: Uint8Array) => void
  readonly entries: (entries: ReadonlyArray<LogEntry>) => void
  /** The hash of the state after all entries so far, or why there is none. */
  readonly hash: () => Result.Result<string, string>
  /** The state at the point, by default after all entries, or why there is none. */
  readonly end: () => Result.Result<StateAt, string>
  /** The state of the snapshot, once all of it was taken; undefined without one. */
  readonly first: () => StateAt | undefined
}

/** Begins at the entry `from`, whose state the snapshot is; without a snapshot that is 0. */
export const replaying = (options: {
  readonly from: { readonly index: number; readonly term: number }
  readonly hasSnapshot: boolean
  readonly point?: Point | undefined
  /** A digest that must be that of the chain at its index. */
  readonly kept?: KeptDigest | undefined
  /** Called with each transaction, before it changes the state. */
  readonly onEntry?: (entry: LogEntry) => void
}): Replay => {
  const { from, hasSnapshot, kept, onEntry = () => {}, point } = options
  const restoring = hasSnapshot ? Snapshot.restoring([]) : undefined
  let tables: Tables.Tables | undefined = hasSnapshot ? undefined : Tables.make([])
  let last = from
  let wrong: string | undefined
  let first: StateAt | undefined
  let atPoint: StateAt | undefined
  let evidence: EvidenceCheck | undefined
  const blanked: Array<{ readonly index: number; readonly transaction: Transaction }> = []
  /** The records whose data is missing of an entry, with the last such entry. */
  const missing = new Map<string, ListedErasure>()
  /** The records that were erased after the point. */
  const erasedLater: Array<ListedErasure> = []

  const begun = (): Tables.Tables | undefined => {
    if (tables !== undefined || wrong !== undefined || restoring === undefined) return tables
    const restored = restoring.end()
    if (Result.isFailure(restored)) {
      wrong = restored.failure
      return undefined
    }
    tables = restored.success
    if (tables.index > from.index) wrong = `The snapshot is of index ${tables.index}, and not of ${from.index}`
    else if (point !== undefined && isPast(point, { index: from.index, timeMs: tables.lastTimeMs })) {
      wrong = `The oldest state here is that of index ${from.index}, ${new Date(tables.lastTimeMs).toISOString()}`
    }
    first = { tables: Tables.clone(tables), ...from }
    return tables
  }

  /**
   * A state from before an erasure lacks the records that were erased, as the cluster has lacked them since; and it names
   * them, so that the entries before it may lack them too. Erasures that come after the point follow at the end.
   */
  const keepPoint = (state: Tables.Tables): void => {
    if (atPoint !== undefined) return
    const kept = Tables.clone(state)
    const { erasedAt } = Erasure.erasuresOf(kept)
    const unnamed = [...missing.values()].filter(({ id, index, model }) => erasedAt(model, id) < index)
    applyErasures(
      kept,
      unnamed.map(({ id, model }) => ({ model, id, index: kept.index + 1 }))
    )
    atPoint = { tables: kept, ...last }
  }

  const noteMissing = (index: number, { events, lifted = [], outcome }: Transaction): void => {
    const unchanged = outcome._tag === "Accepted" ? (outcome.unchanged ?? []) : []
    for (const { erased, id, model } of [...events, ...lifted, ...unchanged.map(({ answer }) => answer)]) {
      if (erased === true) missing.set(JSON.stringify([model, id]), { model, id, index })
    }
  }

  /** Says why an entry lacks data that no erasure names. */
  const unnamed = (state: Tables.Tables): string | undefined => {
    const erasures = Erasure.erasuresOf(state)
    for (const { index, transaction } of blanked) {
      const what = Erasure.unnamedIn(transaction, index, erasures)
      if (what !== undefined) return `Entry ${index} was altered: ${what}`
    }
    return undefined
  }

  const take = (state: Tables.Tables, entry: LogEntry): void => {
    if (entry.index !== last.index + 1) {
      wrong = `Entry ${entry.index} follows entry ${last.index}`
      return
    }
    const transaction = entry.type === "transaction" ? decode(entry.payload) : undefined
    if (transaction !== undefined && Result.isFailure(transaction)) {
      wrong = `Entry ${entry.index}: ${transaction.failure}`
      return
    }
    const timeMs = transaction?.success.timeMs ?? state.lastTimeMs
    if (point !== undefined && isPast(point, { index: entry.index, timeMs })) keepPoint(state)
    onEntry(entry)
    const found = transaction?.success
    evidence ??= checking({ chain: state.chain, kept })
    evidence.take(entry, found)
    if (found !== undefined) {
      evolve(state, { index: entry.index, transaction: found })
      noteMissing(entry.index, found)
      if (atPoint !== undefined) {
        erasedLater.push(...(found.erased ?? []).map((named) => ({ ...named, index: entry.index })))
      }
      if (Erasure.isBlanked(found)) blanked.push({ index: entry.index, transaction: found })
    }
    if (state.chain === undefined || state.chain.index === entry.index - 1) {
      Evidence.extend(state, { ...entry, transaction: found })
    }
    last = { index: entry.index, term: entry.term }
  }

  return {
    snapshot: (content) => restoring?.take(content),
    entries: (entries) => {
      for (const entry of entries) {
        const state = begun()
        if (state === undefined || wrong !== undefined) return
        take(state, entry)
      }
    },
    hash: () => {
      const state = begun()
      return wrong !== undefined || state === undefined
        ? Result.fail(wrong ?? "There is no state")
        : Result.succeed(Tables.stateHash(state))
    },
    end: () => {
      const state = begun()
      if (wrong !== undefined || state === undefined) return Result.fail(wrong ?? "There is no state")
      if (point?._tag === "Index" && point.index > last.index) {
        return Result.fail(`The newest state here is that of index ${last.index}`)
      }
      const checked = (evidence ?? checking({ chain: state.chain, kept })).end()
      if (Result.isFailure(checked)) return Result.fail(checked.failure)
      const without = unnamed(state)
      if (without !== undefined) return Result.fail(without)
      if (atPoint !== undefined) applyErasures(atPoint.tables, erasedLater.splice(0))
      return Result.succeed(atPoint ?? { tables: state, ...last })
    },
    first: () => first
  }
}

/** Whether an entry comes after the point. */
const isPast = (point: Point, at: { readonly index: number; readonly timeMs: number }): boolean =>
  point._tag === "Index" ? at.index > point.index : at.timeMs > point.timeMs
