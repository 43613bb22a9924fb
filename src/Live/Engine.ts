/**
 * Keeps live queries right. It notes which records changed, and evaluates them against the queries that they concern, in
 * steps between which other work has its turn. Equal queries share one window. Readers take what they lack when they can,
 * so a slow reader gets fewer and larger differences, and nothing waits for it. Pure, but for the state that it owns.
 *
 * It clones no tables: an evaluation first reads all records that changed, in one go, and a query that must be listed
 * again is listed from the tables of that moment. So the write path copies no page of a tree for it.
 */
import { Result } from "effect"
import { type KeyedFilter, keyedAll } from "../Machine/Filter.ts"
import { list } from "../Machine/List.ts"
import type { ListedRow, ListSource, UnreadableRow } from "../Machine/ListedRows.ts"
import * as ListedRows from "../Machine/ListedRows.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import {
  askedBytes,
  memoryMaxBytes,
  pageMaxBytes,
  queriesMaxCount,
  shownBytes,
  touchedMaxCount,
  unbucketedMaxCount
} from "./Bounds.ts"
import * as Concerned from "./Concerned.ts"
import { type Bucket, bucketOf, identityOf, type LiveRequest } from "./LiveRequest.ts"
import { isSame, type Page, pageOf, type Shown, type Update, updateOf } from "./Update.ts"
import * as Window from "./Window.ts"

/** Why a query cannot go on. */
export type LiveEnd =
  | { readonly _tag: "Unreadable"; readonly model: string; readonly row: UnreadableRow }
  | { readonly _tag: "PageTooLarge" }
  | { readonly _tag: "Overloaded"; readonly message: string }

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

/** A query with its readers. */
interface Query {
  readonly request: LiveRequest
  readonly identity: string
  readonly filters: ReadonlyArray<KeyedFilter>
  readonly bucket: Bucket | undefined
  readonly window: Window.Window
  readonly readers: Set<() => void>
  page: Page
  /** The update from the page before to this one, which most readers need. */
  last: { readonly from: Shown; readonly update: Update } | undefined
  end: LiveEnd | undefined
  /** When the query was last listed, in listings and evaluations. */
  listedAt: number
}

interface Model {
  readonly descriptor: Descriptor
  readonly queries: Map<string, Query>
  readonly concerned: Concerned.Concerned<Query>
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

/** The memory of one reader: what it asked for, and what it has. */
const readerBytes = ({ identity, request }: Pick<Query, "identity" | "request">): number =>
  askedBytes * identity.length + shownBytes * request.limit

const noPage: Page = { index: 0, items: [], stamps: [], lastKey: undefined }

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

  const tell = ({ readers }: Query): void => {
    for (const onChange of readers) onChange()
  }

  const end = (query: Query, why: LiveEnd): void => {
    if (query.end !== undefined) return
    query.end = why
    tell(query)
    discard(query)
  }

  const discard = (query: Query): void => {
    const { bucket, identity, request, window } = query
    const model = models.get(request.descriptor.name)
    if (model === undefined || model.queries.get(identity) !== query) return
    model.queries.delete(identity)
    Concerned.remove(model.concerned, query, { bucket, holds: window.byId.keys() })
    bytes -= window.bytes
    if (model.queries.size === 0) models.delete(request.descriptor.name)
  }

  /** Moves the page on, and tells the readers if it shows something else. */
  const publish = (query: Query, index: number): void => {
    const page = pageOf(query.window, index)
    const isChanged = !isSame(query.page, page)
    if (page.items.reduce((sum, { text }) => sum + text.length, 0) > pageMaxBytes) {
      end(query, { _tag: "PageTooLarge" })
      return
    }
    if (bytes > memoryMaxBytes) {
      end(query, outgrown)
      return
    }
    if (!isChanged) {
      // Readers keep the page that they have, and the next update starts from it.
      query.page = { ...page, stamps: query.page.stamps }
      return
    }
    query.last = { from: query.page, update: updateOf(page, query.page) }
    query.page = page
    tell(query)
  }

  const resized = (query: Query, change: () => Window.Moves | undefined): Window.Moves | undefined => {
    const before = query.window.bytes
    const moves = change()
    bytes += query.window.bytes - before
    return moves
  }

  const listAgain = (model: Model, query: Query): void => {
    const { source, index } = now(model.descriptor)
    const { after, filters, limit, orderBy, select } = query.request
    clock += 1
    const found = list(source, { filters, orderBy, limit: Window.capacityOf(limit), after, countsTotal: false })
    if (Result.isFailure(found)) {
      end(query, { _tag: "Unreadable", model: model.descriptor.name, row: found.failure })
      return
    }
    const { keys, lastKey, rows } = found.success
    const matches = rows.map((row, at) => ({ id: row.id, ...matchOf(row, keys[at]!, select) }))
    const moves = resized(query, () => Window.fill(query.window, matches, lastKey))
    if (moves !== undefined) Concerned.move(model.concerned, query, moves)
    query.listedAt = clock
    publish(query, index)
  }

  const apply = ({ id, model, row, source }: Touched, query: Query, texts: Texts): boolean => {
    const { after, orderBy, select } = query.request
    const isMet = row !== undefined && ListedRows.meetsAll(source, query.filters, row)
    const key = isMet ? ListedRows.keyOf(source, orderBy, row) : undefined
    const isBehind = key !== undefined && (after === undefined || Window.compare(query.window, key, after) > 0)
    const match = isBehind ? { ...matchOf(row!, key, select), text: () => texts.of(row!, select) } : undefined
    const moves = resized(query, () => Window.take(query.window, id, match))
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
    const changed = new Map<Query, Model>()
    const lists = new Map<Query, Model>()
    for (const model of [...models.values()]) {
      if (!model.isAllTouched) continue
      model.isAllTouched = false
      for (const query of model.queries.values()) lists.set(query, model)
    }
    for (const each of touched) {
      const texts = makeTexts()
      for (const query of Concerned.concernedBy(each.model.concerned, each.source, each.id, each.row)) {
        if (lists.has(query)) continue
        if (apply(each, query, texts)) changed.set(query, each.model)
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

  const refused = (
    asked: Pick<Query, "bucket" | "identity" | "request">,
    model: Model | undefined
  ): LiveEnd | undefined => {
    const { bucket, identity, request } = asked
    if (readersCount >= queriesMaxCount) return overloaded(`This node has ${queriesMaxCount} live queries already`)
    if (bytes + readerBytes(asked) > memoryMaxBytes) return full
    const isShared = model?.queries.has(identity) === true
    return !isShared && bucket === undefined && (model?.concerned.unbucketed.size ?? 0) >= unbucketedMaxCount
      ? overloaded(
          `This node has ${unbucketedMaxCount} live queries of ${request.descriptor.name} already that compare no field with eq or in: add such a filter`
        )
      : undefined
  }

  const open: Engine["open"] = (request, onChange) => {
    const { descriptor, limit, orderBy } = request
    const { index, source } = now(descriptor)
    const filters = keyedAll(source.table.orders, request.filters)
    const bucket = bucketOf(source.idField, filters)
    const identity = identityOf(request)
    const refusal = refused({ request, identity, bucket }, models.get(descriptor.name))
    if (refusal !== undefined) return Result.fail(refusal)
    const model = models.get(descriptor.name) ?? {
      descriptor,
      queries: new Map<string, Query>(),
      concerned: Concerned.make<Query>(),
      touched: new Set<string>(),
      isAllTouched: false
    }
    models.set(descriptor.name, model)
    const shared = model.queries.get(identity)
    const query: Query = shared ?? {
      request,
      identity,
      filters,
      bucket,
      window: Window.make(orderBy, limit),
      readers: new Set(),
      page: noPage,
      last: undefined,
      end: undefined,
      listedAt: 0
    }
    if (shared === undefined) {
      model.queries.set(identity, query)
      Concerned.add(model.concerned, query, bucket)
    }
    // The page of a reader that joins must be as new as the tables are.
    if (shared === undefined || isEvaluating || isDirtyModel(model)) listAgain(model, query)
    else query.page = { ...query.page, index }
    if (query.end !== undefined) return Result.fail(query.end)
    const own = () => onChange()
    query.readers.add(own)
    readersCount += 1
    bytes += readerBytes(query)
    return Result.succeed(readerOf(query, own))
  }

  const readerOf = (query: Query, own: () => void): Reader => {
    let has: Shown | undefined
    let isClosed = false
    return {
      next: () => {
        if (query.end !== undefined) return query.end
        const { last, page } = query
        if (has !== undefined && (has.stamps === page.stamps || isSame(has, page))) return undefined
        const update = last !== undefined && has?.stamps === last.from.stamps ? last.update : updateOf(page, has)
        // Without its records, so that a slow reader keeps none of them.
        has = { index: page.index, stamps: page.stamps, lastKey: page.lastKey }
        return update
      },
      close: () => {
        if (isClosed) return
        isClosed = true
        query.readers.delete(own)
        readersCount -= 1
        bytes -= readerBytes(query)
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

const matchOf = (row: ListedRow, key: Window.Match["key"], select: LiveRequest["select"]): Window.Match => ({
  version: row.row.version,
  key,
  text: () => JSON.stringify(ListedRows.selected(row.record, select))
})

/** The JSON of one record, made once for all queries that show all of it. */
interface Texts {
  readonly of: (row: ListedRow, select: LiveRequest["select"]) => string
}

const makeTexts = (): Texts => {
  let whole: string | undefined
  return {
    of: ({ record }, select) => {
      if (select !== undefined) return JSON.stringify(ListedRows.selected(record, select))
      whole ??= JSON.stringify(record)
      return whole
    }
  }
}

const overloaded = (message: string): LiveEnd => ({ _tag: "Overloaded", message })
const full = overloaded(`The live queries of this node take ${memoryMaxBytes / 2 ** 20} MiB already: try again later`)
const outgrown = overloaded(
  `The live queries of this node have grown over ${memoryMaxBytes / 2 ** 20} MiB: try again later`
)
