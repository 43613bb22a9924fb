/**
 * Keeps live queries right. It notes which records changed, and evaluates them against the queries that they concern, in
 * steps between which other work has its turn. Equal queries share one window. Readers take what they lack when they can,
 * so a slow reader gets fewer and larger differences, and nothing waits for it. Pure, but for the state that it owns.
 *
 * It clones no tables: an evaluation first reads all records that changed, in one go, and a query that must be listed
 * again is listed from the tables of that moment. So the write path copies no page of a tree for it.
 */
import { Result } from "effect"
import type { ListedRow, ListSource } from "../Machine/ListedRows.ts"
import * as ListedRows from "../Machine/ListedRows.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { memoryMaxBytes, queriesMaxCount, touchedMaxCount, unbucketedMaxCount } from "./Bounds.ts"
import * as Concerned from "./Concerned.ts"
import { full, type LiveEnd, outgrown, overloaded } from "./LiveEnd.ts"
import type { LiveRequest } from "./LiveRequest.ts"
import * as Query from "./Query.ts"
import type { Shown, Update } from "./Update.ts"
import * as Window from "./Window.ts"

/** A reader of one query. */
export interface Reader {
  /** What the reader lacks, or why the query ended; undefined if it has the page as it is. It counts as read. */
  readonly next: () => Update | LiveEnd | undefined
  /** Forgets the reader. */
  readonly close: () => void
}

/** The tables of a model as they are now, and the index of the replicated log that they reflect. */
export interface Now {
  readonly source: ListSource
  readonly index: number
}

export interface Engine {
  /** Adds a reader, which has nothing yet. `onChange` tells that {@link Reader.next} has something; it must be quick. */
  readonly open: (request: LiveRequest, onChange: () => void) => Result.Result<Reader, LiveEnd>
  /** A record changed. Returns whether it must be evaluated. */
  readonly touch: (model: string, id: string) => boolean
  /** Any record may have changed: another state took the place of the tables. */
  readonly touchAll: () => void
  /** Whether changes wait to be evaluated. */
  readonly isDirty: () => boolean
  /** Evaluates what waits. Other work, and calls of the engine, may come at each step; not another evaluation. */
  readonly evaluate: () => Generator<undefined, void>
  /** All readers have been offered all changes up to this index. While changes wait, it may be lower than before. */
  readonly index: () => number
  readonly readersCount: () => number
  /** The memory of windows and readers, as the bounds count it. */
  readonly bytes: () => number
}

interface Model {
  readonly descriptor: Descriptor
  readonly queries: Map<string, Query.Query>
  readonly concerned: Concerned.Concerned<Query.Query>
  touched: Set<string>
  /** Whether all of its queries must be listed again. */
  isAllTouched: boolean
}

/** A record that changed, as it was when the evaluation began. */
interface Touched {
  readonly model: Model
  readonly source: ListSource
  readonly id: string
  readonly row: ListedRow | undefined
}

/** Makes an engine over the tables that `now` shows. */
export const make = (now: (descriptor: Descriptor) => Now, appliedIndex: () => number): Engine => {
  const models = new Map<string, Model>()
  /** Counts listings and evaluations. A listing is newer than the records that an evaluation before it has read. */
  let clock = 0
  let readersCount = 0
  let bytes = 0
  let isEvaluating = false
  /** Readers have been offered all changes up to here, or further. */
  let offeredIndex = 0

  const isDirtyModel = ({ isAllTouched, touched }: Model): boolean => isAllTouched || touched.size > 0
  const isDirty = (): boolean => [...models.values()].some(isDirtyModel)

  const tell = ({ readers }: Query.Query): void => {
    for (const onChange of readers) onChange()
  }

  const end = (query: Query.Query, why: LiveEnd): void => {
    if (query.end !== undefined) return
    query.end = why
    tell(query)
    discard(query)
  }

  const discard = (query: Query.Query): void => {
    const { buckets, identity, request, window } = query
    const model = models.get(request.descriptor.name)
    if (model === undefined || model.queries.get(identity) !== query) return
    model.queries.delete(identity)
    Concerned.remove(model.concerned, query, { buckets, holds: window.byId.keys() })
    bytes -= window.bytes
    if (model.queries.size === 0) models.delete(request.descriptor.name)
  }

  /** Moves the page on, and tells the readers if it shows something else. */
  const publish = (query: Query.Query, index: number): void => {
    const turned = Query.turn(query, index)
    if (turned === "tooLarge") end(query, { _tag: "PageTooLarge" })
    else if (bytes > memoryMaxBytes) end(query, outgrown)
    else if (turned === "changed") tell(query)
  }

  const listAgain = (model: Model, query: Query.Query): void => {
    const { source, index } = now(model.descriptor)
    const beforeBytes = query.window.bytes
    clock += 1
    const filled = Query.fill(query, source)
    if (Result.isFailure(filled)) {
      end(query, { _tag: "Unreadable", model: model.descriptor.name, row: filled.failure })
      return
    }
    bytes += query.window.bytes - beforeBytes
    Concerned.move(model.concerned, query, filled.success)
    query.listedAt = clock
    publish(query, index)
  }

  const apply = ({ id, model, row, source }: Touched, query: Query.Query, text: Query.Text): boolean => {
    const beforeBytes = query.window.bytes
    const moves = Query.take(query, source, { id, row, text })
    bytes += query.window.bytes - beforeBytes
    if (moves !== undefined) Concerned.move(model.concerned, query, moves)
    return moves !== undefined
  }

  /** Reads all records that changed, in one go. A record that this release cannot read may belong to any query. */
  const readTouched = (): ReadonlyArray<Touched> => {
    const all: Array<Touched> = []
    for (const model of models.values()) {
      if (!isDirtyModel(model)) continue
      const { touched } = model
      model.touched = new Set()
      if (model.isAllTouched) continue
      const { source } = now(model.descriptor)
      for (const id of touched) {
        const row = source.table.rows.get(id)
        const shown = row === undefined ? undefined : ListedRows.shownRow(source, id, row)
        if (shown === undefined) all.push({ model, source, id, row: undefined })
        else if (Result.isSuccess(shown)) all.push({ model, source, id, row: shown.success })
        else model.isAllTouched = true
      }
    }
    return all
  }

  function* evaluateAll(): Generator<undefined, void> {
    const index = appliedIndex()
    const touched = readTouched()
    clock += 1
    const readAt = clock
    const changed = new Map<Query.Query, Model>()
    const lists = new Map<Query.Query, Model>()
    for (const model of [...models.values()]) {
      if (!model.isAllTouched) continue
      model.isAllTouched = false
      for (const query of model.queries.values()) lists.set(query, model)
    }
    for (const each of touched) {
      const text = Query.sharedText()
      for (const query of Concerned.concernedBy(each.model.concerned, each.source, each.id, each.row)) {
        if (lists.has(query)) continue
        if (apply(each, query, text)) changed.set(query, each.model)
      }
      yield
    }
    for (const [query, model] of [...changed, ...lists]) {
      if (query.end !== undefined || query.readers.size === 0 || query.listedAt > readAt) continue
      if (lists.has(query) || Window.mustList(query.window)) listAgain(model, query)
      else publish(query, index)
      yield
    }
    offeredIndex = index
  }

  /** Why one more reader of a query is refused. */
  const refused = (query: Query.Query, model: Model | undefined): LiveEnd | undefined => {
    const { buckets, identity, request } = query
    if (readersCount >= queriesMaxCount) return overloaded(`This node has ${queriesMaxCount} live queries already`)
    if (bytes + Query.readerBytes(query) > memoryMaxBytes) return full
    const isShared = model?.queries.has(identity) === true
    return !isShared && buckets.length === 0 && (model?.concerned.unbucketed.size ?? 0) >= unbucketedMaxCount
      ? overloaded(
          `This node has ${unbucketedMaxCount} live queries of ${request.descriptor.name} already that compare no field with eq or in: add such a filter`
        )
      : undefined
  }

  const open: Engine["open"] = (request, onChange) => {
    const { descriptor } = request
    const { index, source } = now(descriptor)
    const asked = Query.make(request, source)
    const refusal = refused(asked, models.get(descriptor.name))
    if (refusal !== undefined) return Result.fail(refusal)
    const model = models.get(descriptor.name) ?? {
      descriptor,
      queries: new Map<string, Query.Query>(),
      concerned: Concerned.make<Query.Query>(),
      touched: new Set<string>(),
      isAllTouched: false
    }
    models.set(descriptor.name, model)
    const shared = model.queries.get(asked.identity)
    const query = shared ?? asked
    if (shared === undefined) {
      model.queries.set(query.identity, query)
      Concerned.add(model.concerned, query, query.buckets)
    }
    // The page of a reader that joins must be as new as the tables are.
    if (shared === undefined || isEvaluating || isDirtyModel(model)) listAgain(model, query)
    else query.page = { ...query.page, index }
    if (query.end !== undefined) return Result.fail(query.end)
    const own = () => onChange()
    query.readers.add(own)
    readersCount += 1
    bytes += Query.readerBytes(query)
    return Result.succeed(readerOf(query, own))
  }

  const readerOf = (query: Query.Query, own: () => void): Reader => {
    let has: Shown | undefined
    let isClosed = false
    return {
      next: () => {
        if (query.end !== undefined) return query.end
        const update = Query.lacking(query, has)
        if (update !== undefined) has = Query.shownOf(query)
        return update
      },
      close: () => {
        if (isClosed) return
        isClosed = true
        query.readers.delete(own)
        readersCount -= 1
        bytes -= Query.readerBytes(query)
        if (query.readers.size === 0) discard(query)
      }
    }
  }

  return {
    open,
    touch: (name, id) => {
      const model = models.get(name)
      if (model === undefined) return false
      if (model.touched.size < touchedMaxCount) model.touched.add(id)
      else model.isAllTouched = true
      return true
    },
    touchAll: () => {
      for (const model of models.values()) model.isAllTouched = true
    },
    isDirty,
    *evaluate() {
      isEvaluating = true
      yield* evaluateAll()
      isEvaluating = false
    },
    index: () => {
      if (!isEvaluating && !isDirty()) offeredIndex = appliedIndex()
      return offeredIndex
    },
    readersCount: () => readersCount,
    bytes: () => bytes
  }
}
