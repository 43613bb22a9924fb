/**
 * One projection into SQLite, running on this node: its file (SqliteFile.ts), one life after another. One that cannot be
 * opened now is tried again; one that is damaged, or of another version, is removed and made anew.
 */
import { Effect, type Scope } from "effect"
import type { Feed } from "../Cluster/Feed.ts"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import { listDirectory, unlinkFile } from "../EventStore/Files.ts"
import * as Condition from "../Raft/node/Condition.ts"
import { ProjectionFailed, type ProjectionFailure, SqliteFailed } from "./Failure.ts"
import type { Sqlite } from "./Sqlite.ts"
import * as SqliteFile from "./SqliteFile.ts"

/** How long a query may take, with those that it waits for. */
const queryTimeoutMs = 10_000

/** A projection on this node. */
export type Running = Omit<SqliteFile.SqliteFile, "ended">

/** Removes files of other versions, and of this one too if it is no use: the file before what belongs to it. */
const removeFiles = Effect.fnUntraced(function* (
  { name, version }: Sqlite,
  options: { readonly folder: string; readonly isUnusable: boolean }
) {
  const unused = (yield* listDirectory(options.folder)).filter((file) => {
    const [, named, of] = /^(.+)\.v(\d+)\.sqlite(?:-wal|-shm)?$/.exec(file) ?? []
    return named === name && (options.isUnusable || of !== String(version))
  })
  yield* Effect.forEach(unused.toSorted(), (file) => unlinkFile(`${options.folder}/${file}`), { discard: true })
})

/** Runs until the scope closes; when it returns, it has tried to open the file once. */
export const run = Effect.fnUntraced(function* (
  projection: Sqlite,
  options: { readonly files: DerivedFiles; readonly feed: Feed; readonly queryTimeoutMs?: number }
): Effect.fn.Return<Running, never, Scope.Scope> {
  const { name, version } = projection
  const fileName = `${name}.v${version}.sqlite`
  const changed = Condition.make()
  let file: SqliteFile.SqliteFile | undefined
  let failure: ProjectionFailed | undefined
  /** Why there is no file now. */
  let closedFor = "it is not open yet"
  let isTried = false
  let isUnusable = false

  const opened = Effect.gen(function* () {
    const folder = yield* options.files.folder
    yield* removeFiles(projection, { folder, isUnusable })
    isUnusable = false
    return yield* SqliteFile.open(projection, {
      path: `${folder}/${fileName}`,
      feed: options.feed,
      queryTimeoutMs: options.queryTimeoutMs ?? queryTimeoutMs
    })
  }).pipe(
    Effect.catchTag("LogFailed", ({ message }) => new SqliteFailed({ reason: "passing", message })),
    Effect.mapError((failed): SqliteFile.Ended => ({ failed, index: 1, throughIndex: 0 }))
  )

  const life = Effect.gen(function* () {
    const own = yield* opened
    file = own
    isTried = true
    changed.changed()
    const isOver = Effect.sync(() => {
      file = undefined
      changed.changed()
    })
    // Before its scope closes: nobody asks a file that is being closed.
    return yield* Effect.ensuring(own.ended, isOver)
  }).pipe(Effect.scoped)

  const fail = (index: number, what: string) =>
    Effect.suspend(() => {
      const message = `Cannot use "${fileName}": ${what}`
      failure = new ProjectionFailed({ projection: name, index, message })
      isTried = true
      changed.changed()
      return Effect.logError(`The projection ${name} stops at ${index}: ${message}`)
    })

  const lives = Effect.gen(function* () {
    /** The last entry that was to be in the file when it ended. Ended again before it is past that, it would for ever. */
    let endedIndex = -1
    /** What was said last of a file that cannot be opened: it is tried each second, and said once. */
    let said: string | undefined
    while (true) {
      const { failed, index, throughIndex } = yield* Effect.flip(life)
      const { message, reason } = failed
      closedFor = message
      if (reason === "refused") return yield* fail(index, message)
      if (reason === "passing" || (reason === "ended" && throughIndex === 0)) {
        isTried = true
        changed.changed()
        if (message !== said) yield* Effect.logWarning(`Cannot open "${fileName}" now, tries again: ${message}`)
        said = message
        yield* Effect.sleep(SqliteFile.retryMs)
      } else {
        if (throughIndex <= endedIndex) return yield* fail(index, `${message}, as it was before it was made anew`)
        endedIndex = throughIndex
        isUnusable = reason === "unusable"
        yield* Effect.logWarning(`Cannot use "${fileName}": ${message}; it is ${isUnusable ? "made" : "opened"} anew`)
      }
    }
  })
  yield* lives.pipe(
    // Of this fiber's own interruption it hears nothing.
    Effect.catchCause((cause) =>
      Effect.andThen(Effect.logError(`The projection ${name} met a defect`, cause), fail(1, "it met a defect"))
    ),
    Effect.forkScoped
  )
  yield* changed.until(() => isTried)

  const index = () => file?.index() ?? 0
  const until = (awaited: number): Effect.Effect<void, ProjectionFailure> =>
    Effect.suspend(() => {
      if (failure !== undefined) return Effect.fail(failure)
      const own = file
      if (own === undefined && awaited <= 0) return Effect.void
      const next = Effect.andThen(
        changed.until(() => file !== own || failure !== undefined),
        Effect.suspend(() => until(awaited))
      )
      return own === undefined ? next : Effect.raceFirst(own.until(awaited), next)
    })
  return {
    index,
    failure: () => failure ?? file?.failure(),
    until,
    query: (statement) =>
      Effect.suspend(
        () =>
          file?.query(statement) ??
          Effect.fail(new SqliteFailed({ reason: "passing", message: `Its file cannot be used now: ${closedFor}` }))
      )
  }
})
