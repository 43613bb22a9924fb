/**
 * The past of one record. Each event names the entry of the record's event before it, so that its history is a walk
 * backwards along its own entries, and no scan of the log. The work of a request is bounded: a walk that is not done
 * says where it stands, and goes on from there on any node.
 */
import { Data, Effect, Result } from "effect"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import type { Named } from "../Machine/Erasure.ts"
import type { Event } from "../Machine/Event.ts"
import { showRow } from "../Machine/ReadRow.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Transaction } from "../Machine/Transaction.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { EncodedRecord } from "../Model/EncodedRecord.ts"
import { answerBy, type Problem, problem, responds } from "../Problem.ts"
import * as Checkpoints from "./Checkpoints.ts"
import { RecordUnreadable } from "./RecordUnreadable.ts"

/** One version of a record, with the change that made it. A deletion has the last record. */
export interface Past {
  readonly version: number
  /** The index of the entry that made it, and the time at which that was decided. */
  readonly index: number
  readonly timeMs: number
  /** Who asked for the change, if the log says so. */
  readonly actor: string | undefined
  readonly event: Event["type"]
  /**
   * Present if an archived state has the version, and nothing has the change that made it: `timeMs` is that of the state,
   * which came later than the change.
   */
  readonly isOfState?: true
  /** The version of the model that `record` has. */
  readonly modelVersion: number
  /** As this release reads it: the replicated fields, lifted to its version of the model. Undefined if it was erased. */
  readonly record: EncodedRecord | undefined
}

/** A past state that is there. */
export type Known = Past & { readonly record: EncodedRecord }

/** Where a walk stands: the entry at `index` holds `version` of the record. */
export interface Step {
  readonly version: number
  readonly index: number
}

/** A place between two pages: after `version`. A walk that is not done goes on at `from`. */
export interface Place {
  readonly afterVersion: number
  readonly isComplete?: boolean | undefined
  readonly from?: Step | undefined
}

/** A page of a record's history, oldest first. */
export interface HistoryPage {
  readonly items: ReadonlyArray<Past>
  /** Where the next page begins; undefined on the last one. A page may be empty and have a next one. */
  readonly next: Place | undefined
  /** Whether the pages begin with the record's first version; false if this node does not hold it, or does not know yet. */
  readonly isComplete: boolean
}

/** A past state: a version, or the state at a time. */
export type Moment = { readonly version: number } | { readonly timeMs: number }

/** The version or the time is not retained on this node. Answers with 410. */
export class HistoryGone extends Data.TaggedError("HistoryGone")<{
  readonly oldest: Step & { readonly timeMs: number | undefined }
}> {
  override get message(): string {
    return `The history of this record begins at version ${this.oldest.version} here: what was before is not retained`
  }
  toProblem(): Problem {
    const { index, timeMs, version } = this.oldest
    return problem("history-gone", this.message, {
      oldestVersion: version,
      oldestIndex: index,
      ...(timeMs === undefined ? {} : { oldestAt: new Date(timeMs).toISOString() })
    })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The data of that version was erased. Answers with 410. */
export class RecordErased extends Data.TaggedError("RecordErased")<{ readonly model: string; readonly id: string }> {
  override get message(): string {
    return `The data of ${this.model} ${this.id} was erased: nobody has it any more`
  }
  toProblem(): Problem {
    return problem("record-erased", this.message, {})
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The walk to a past state was not done within the bound of one request. The next one goes on. Answers with 503. */
export class HistoryLong extends Data.TaggedError("HistoryLong")<{ readonly message: string }> {
  toProblem(): Problem {
    return problem("overloaded", this.message, { definite: true })
  }
  [responds]() {
    return answerBy(this.toProblem())
  }
}

/** The place of a request is not one of this record. */
export class NotAPlace extends Data.TaggedError("NotAPlace")<{ readonly message: string }> {}

/** Why a record's past cannot be read. */
export type HistoryFailure =
  | LogFailed
  | LogCorrupt
  | RecordUnreadable
  | RecordErased
  | HistoryGone
  | HistoryLong
  | NotAPlace

/** The entries of the log of a record. */
export interface HistorySource {
  /** Undefined if this node does not hold it. */
  readonly entry: (index: number) => Effect.Effect<Transaction | undefined, LogFailed | LogCorrupt>
  /** The version that the entry at `index` made, if an archived state has it and the entry is not held. */
  readonly archived?: (
    sought: Named & { readonly index: number }
  ) => Effect.Effect<{ readonly event: Event; readonly transaction: Transaction } | undefined, LogFailed | LogCorrupt>
}

/** The bounds of one request: entries read, and the bytes of the events that are kept for a page. */
export const walkMaxCount = 4_096
const pageMaxBytes = 8 * 1024 * 1024
/** Other work comes between so many entries. */
const sliceCount = 64

/** The newest version of a record, deleted or not; undefined for an id that never was. */
export const newestOf = (tables: Tables, { name }: Descriptor, id: string): Step | undefined => {
  const table = tables.byModel.get(name)
  return table?.rows.get(id) ?? table?.tombstones.get(id)
}

/** The events of one record in an entry, newest first, through `version`. */
const eventsIn = (
  { events }: Transaction,
  { id, name, version }: { readonly id: string; readonly name: string; readonly version: number }
): ReadonlyArray<Event> =>
  events.filter((event) => event.id === id && event.model === name && event.version <= version).toReversed()

/** How a walk ended: the visitor had enough, the record begins there, the entry is not held, or the bound was reached. */
type Ending =
  | { readonly _tag: "Enough" }
  | { readonly _tag: "Beginning" }
  | { readonly _tag: "Missing" }
  | { readonly _tag: "Bound"; readonly at: Step }

interface Visited extends Step {
  readonly event: Event
  readonly transaction: Transaction
  readonly isOfState?: true
}

/** Reads the pasts of records, and remembers where their versions are. */
export const make = ({ archived, entry }: HistorySource, checkpoints: Checkpoints.Checkpoints = Checkpoints.make()) => {
  /** Visits the version that an entry made that is not held. When that was, and what was before it, is not known. */
  const visitArchived = Effect.fnUntraced(function* (
    { id, name: model }: { readonly id: string; readonly name: string },
    index: number,
    visit: (visited: Visited) => boolean
  ): Effect.fn.Return<Ending, LogFailed | LogCorrupt> {
    const found = yield* archived?.({ model, id, index }) ?? Effect.succeed(undefined)
    if (found === undefined) return { _tag: "Missing" }
    const { version } = found.event
    return { _tag: visit({ ...found, version, index, isOfState: true }) ? "Enough" : "Missing" }
  })

  /** Visits versions downwards from `from` until `visit` returns true. */
  const walk = Effect.fnUntraced(function* (
    { id, name }: { readonly id: string; readonly name: string },
    from: Step,
    visit: (visited: Visited) => boolean
  ) {
    let at = from
    for (let count = 0; count < walkMaxCount; count++) {
      if (count % sliceCount === sliceCount - 1) yield* Effect.yieldNow
      const transaction = yield* entry(at.index)
      if (transaction === undefined) return yield* visitArchived({ id, name }, at.index, visit)
      // After a restore the next version is far above the one before it.
      const events = eventsIn(transaction, { id, name, version: at.version })
      if (events.length === 0) {
        return yield* new NotAPlace({
          message: `Entry ${at.index} does not hold version ${at.version} of ${name} ${id}`
        })
      }
      for (const event of events) {
        const { version } = event
        checkpoints.note({ name, id }, { version, index: at.index, timeMs: transaction.timeMs })
        if (visit({ version, index: at.index, event, transaction })) return { _tag: "Enough" } satisfies Ending
      }
      const { previousIndex, version } = events.at(-1)!
      if (previousIndex === 0) return { _tag: "Beginning" } satisfies Ending
      at = { version: version - 1, index: previousIndex }
    }
    return { _tag: "Bound", at } satisfies Ending
  })

  const pastOf = (descriptor: Descriptor, { event, index, isOfState, transaction, version }: Visited) => {
    const { data, erased, id, modelVersion, type } = event
    const { principal: actor, timeMs } = transaction
    const past = {
      version,
      index,
      timeMs,
      actor,
      event: type,
      modelVersion: descriptor.version,
      ...(isOfState ? { isOfState } : {})
    }
    if (erased === true) return Result.succeed<Past>({ ...past, record: undefined })
    const row = { version, createdIndex: 0, index, modelVersion, data }
    return Result.mapBoth(showRow(descriptor, row), {
      onFailure: (errors) => new RecordUnreadable({ model: descriptor.name, id, errors }),
      onSuccess: (record): Past => ({ ...past, record })
    })
  }

  return {
    /** The page after `place` of a record whose newest version is `newest`. */
    page: Effect.fnUntraced(function* (
      descriptor: Descriptor,
      id: string,
      asked: {
        readonly newest: Step
        readonly place: Place
        readonly limit: number
        /** Leaves out versions that this release cannot read, and says by `isComplete` that some are missing. */
        readonly skipsUnreadable?: boolean
      }
    ): Effect.fn.Return<HistoryPage, HistoryFailure> {
      const { limit, newest, place, skipsUnreadable = false } = asked
      const { name } = descriptor
      const { afterVersion } = place
      if (place.from !== undefined && (place.from.version > newest.version || place.from.index > newest.index)) {
        return yield* new NotAPlace({ message: "The cursor names a version that this record does not have yet" })
      }
      if (afterVersion >= newest.version) return { items: [], next: undefined, isComplete: place.isComplete === true }
      const known = checkpoints.above({ name, id }, { version: afterVersion + limit })
      const start = [known, place.from, newest].reduce(
        (lowest, step) => (step !== undefined && step.version < lowest!.version ? step : lowest),
        newest
      )!
      // The lowest versions that were met: the walk ends with those after the place.
      const met: Array<Visited> = []
      let bytes = 0
      const ending = yield* walk({ name, id }, start, (visited) => {
        if (visited.version <= afterVersion) return true
        met.push(visited)
        bytes += sizeOf(visited.event)
        while (met.length > limit || (bytes > pageMaxBytes && met.length > 1)) bytes -= sizeOf(met.shift()!.event)
        return visited.version === afterVersion + 1
      })
      if (ending._tag === "Bound") {
        return { items: [], next: { afterVersion, isComplete: place.isComplete, from: ending.at }, isComplete: false }
      }
      const isHeld = ending._tag !== "Missing" && place.isComplete !== false
      const found = met.toReversed().map((visited) => pastOf(descriptor, visited))
      const items = yield* Effect.fromResult(Result.all(skipsUnreadable ? found.filter(Result.isSuccess) : found))
      const last = found.length === 0 ? undefined : met[0]
      // Nothing of it is here: its newest version is in an entry that this node lacks.
      if (last === undefined) return { items, next: undefined, isComplete: false }
      const isComplete = isHeld && items.length === found.length
      const next = last.version < newest.version ? { afterVersion: last.version, isComplete } : undefined
      return { items, next, isComplete }
    }),

    /** The state at a moment; undefined if there was none then. */
    at: Effect.fnUntraced(function* (
      descriptor: Descriptor,
      id: string,
      { moment, newest }: { readonly moment: Moment; readonly newest: Step }
    ): Effect.fn.Return<Known | undefined, HistoryFailure> {
      const { name } = descriptor
      if ("version" in moment && (moment.version > newest.version || moment.version < 1)) return undefined
      const known = checkpoints.above({ name, id }, moment)
      let found: Visited | undefined
      let oldest: Visited | undefined
      const ending = yield* walk(
        { name, id },
        known !== undefined && known.version < newest.version ? known : newest,
        (visited) => {
          oldest = visited
          const isThen =
            "version" in moment ? visited.version === moment.version : visited.transaction.timeMs <= moment.timeMs
          if (isThen) found = visited
          return isThen
        }
      )
      if (found !== undefined) {
        if (found.event.type === "deleted") return undefined
        const { record, ...past } = yield* Effect.fromResult(pastOf(descriptor, found))
        return record === undefined ? yield* new RecordErased({ model: name, id }) : { ...past, record }
      }
      if (ending._tag === "Missing") {
        const { index, version } = oldest ?? newest
        return yield* new HistoryGone({ oldest: { version, index, timeMs: oldest?.transaction.timeMs } })
      }
      if (ending._tag === "Bound") {
        const message = `The ${name} has changed very often since: try again, and the walk to that state goes on`
        return yield* new HistoryLong({ message })
      }
      return undefined
    })
  }
}

/** About how many bytes an event takes on the wire. */
const sizes = new WeakMap<Event, number>()
const sizeOf = (event: Event): number => {
  const known = sizes.get(event)
  if (known !== undefined) return known
  const bytes = JSON.stringify(event.data).length
  sizes.set(event, bytes)
  return bytes
}
