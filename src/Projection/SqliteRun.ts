/**
 * One projection into SQLite, running on this node: it hands the statements of every entry that is applied to the
 * thread of its file, a transaction at a time. A file that is damaged, as a write or a query may find, is made anew.
 */
import { Effect, Result, Schedule, type Scope } from "effect"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import { listDirectory, unlinkFile } from "../EventStore/Files.ts"
import type { LogFailed } from "../EventStore/LogStore.ts"
import * as Condition from "../Raft/Condition.ts"
import type { AppliedEntry, Feed } from "../Raft/Feed.ts"
import { ProjectionFailed, type SqliteFailed } from "./Failure.ts"
import { type Following, follow } from "./Following.ts"
import type { Sqlite } from "./Sqlite.ts"
import type { Opening, Row, Statement } from "./SqliteProtocol.ts"
import * as SqliteReader from "./SqliteReader.ts"
import * as SqliteThread from "./SqliteThread.ts"

/** Entries that come to no statement and are passed without noting it in the file. */
const unnotedMaxCount = 10_000
/** How long a query may take. */
const queryTimeoutMs = 10_000
/** How long after the file could not be written it is tried again. */
const retryMs = 1_000

/** A projection on this node. */
export interface Running extends Following {
  /** Rows, and the index that they reflect at least. */
  readonly query: (
    statement: Statement
  ) => Effect.Effect<{ readonly rows: ReadonlyArray<Row>; readonly index: number }, SqliteFailed>
}

/** Files of other versions of this projection: the file before what belongs to it. */
const removeOthers = Effect.fnUntraced(function* ({ name, version }: Sqlite, folder: string) {
  const others = (yield* listDirectory(folder)).filter((file) => {
    const [, named, of] = /^(.+)\.v(\d+)\.sqlite(?:-wal|-shm)?$/.exec(file) ?? []
    return named === name && of !== String(version)
  })
  yield* Effect.forEach(others.toSorted(), (file) => unlinkFile(`${folder}/${file}`), { discard: true })
})

/** Runs until the scope closes. */
export const run = Effect.fnUntraced(function* (
  projection: Sqlite,
  options: { readonly files: DerivedFiles; readonly feed: Feed; readonly queryTimeoutMs?: number }
): Effect.fn.Return<Running, LogFailed | SqliteFailed, Scope.Scope> {
  const { ddl, name, version } = projection
  const folder = yield* options.files.folder
  yield* removeOthers(projection, folder)
  const opening: Opening = { mode: "write", path: `${folder}/${name}.v${version}.sqlite`, name, version, ddl }
  const { ask: write } = yield* SqliteThread.start(opening)
  const opened = yield* write({ _tag: "Open" }, "Opened")
  if (opened.rebuiltFor !== undefined) {
    yield* Effect.logWarning(`Cannot use "${name}.v${version}.sqlite": ${opened.rebuiltFor}; it is made anew`)
  }
  const reader = yield* SqliteReader.make(opening, { queryTimeoutMs: options.queryTimeoutMs ?? queryTimeoutMs })
  let notedIndex = opened.index
  /** What the rows reflect: what came to no statement is not noted in the file. Of the file as it was made anew so often. */
  const reflected = { index: opened.index, rebuiltCount: 0 }

  /** The last entry that was to be in the file when it was found damaged. Damaged again before it is past that, it fails. */
  let damagedIndex = -1
  /** What a query met. */
  let damage: string | undefined
  const damaged = Condition.make()

  const failedAt = (index: number, what: string) =>
    new ProjectionFailed({ projection: name, index, message: `Cannot apply entry ${index}: ${what}` })

  /** Done, as soon as the machine lets it be. */
  const retried = <A>(asked: Effect.Effect<A, SqliteFailed>) =>
    asked.pipe(
      Effect.tapError(({ message }) => Effect.logWarning(`${name} cannot write its file: ${message}`)),
      Effect.retry({
        schedule: Schedule.spaced(retryMs),
        while: ({ isDamaged, isEnded }) => isEnded !== true && isDamaged !== true
      })
    )

  /** Makes the file anew, for the first entry to come next. */
  const rebuild = Effect.fnUntraced(function* (met: string, throughIndex: number) {
    if (throughIndex <= damagedIndex) {
      return yield* failedAt(notedIndex + 1, `${met}, as it was before it was made anew`)
    }
    yield* Effect.logWarning(`Cannot use "${name}.v${version}.sqlite" any more: ${met}; it is made anew`)
    reflected.index = 0
    reflected.rebuiltCount += 1
    // Between two attempts queries have their turn, and fail: none waits for a disk that may never be mended.
    const { index } = yield* retried(reader.withoutThread(write({ _tag: "Rebuild" }, "Opened"))).pipe(
      Effect.mapError(({ message }) => failedAt(notedIndex + 1, message))
    )
    damagedIndex = throughIndex
    damage = undefined
    notedIndex = index
    return index
  })

  const take = Effect.fnUntraced(function* (given: ReadonlyArray<AppliedEntry>) {
    if (damage !== undefined) return yield* rebuild(damage, notedIndex)
    const entries: Array<{ readonly index: number; readonly statements: ReadonlyArray<Statement> }> = []
    let failed: ProjectionFailed | undefined
    let throughIndex = notedIndex
    for (const entry of given) {
      const statements = projection.statementsOf(entry)
      if (Result.isFailure(statements)) {
        failed = failedAt(entry.index, statements.failure)
        break
      }
      throughIndex = entry.index
      if (statements.success.length > 0) entries.push({ index: entry.index, statements: statements.success })
    }
    if (entries.length > 0 || throughIndex - notedIndex >= unnotedMaxCount) {
      const applied = yield* Effect.result(retried(write({ _tag: "Apply", entries, throughIndex }, "Applied")))
      if (Result.isFailure(applied)) {
        const { isDamaged, message } = applied.failure
        return yield* isDamaged === true ? rebuild(message, throughIndex) : failedAt(notedIndex + 1, message)
      }
      const { failure, index } = applied.success
      notedIndex = index
      if (failure !== undefined) return yield* failedAt(index + 1, failure)
    }
    reflected.index = throughIndex
    return failed === undefined ? throughIndex : yield* failed
  })

  const following = yield* follow({
    name,
    feed: options.feed,
    fromIndex: opened.index + 1,
    take,
    woken: damaged.until(() => damage !== undefined)
  })

  const query = (statement: Statement) =>
    Effect.suspend(() => {
      const before = { ...reflected }
      return reader.query(statement).pipe(
        Effect.tapError(({ isDamaged, message }) =>
          Effect.sync(() => {
            if (isDamaged !== true) return
            damage = message
            damaged.changed()
          })
        ),
        Effect.map(({ index, rows }) => ({
          rows,
          index: before.rebuiltCount === reflected.rebuiltCount ? Math.max(index, before.index) : index
        }))
      )
    })

  return { ...following, query }
})
