/**
 * Runs one projection into SQLite: opens its file (SqliteFile.ts), again and again if needed. If it cannot open the file
 * now, it tries again. It removes and rebuilds a file that is damaged or belongs to another version.
 */
import { Effect, type Scope } from "effect"
import type { Feed } from "../Cluster/Feed.ts"
import type { DerivedFiles } from "../EventStore/DerivedFiles.ts"
import { listDirectory, unlinkFile } from "../EventStore/Files.ts"
import * as Condition from "../Raft/node/Condition.ts"
import { ProjectionFailed, type ProjectionFailure, SqliteFailed } from "./Failure.ts"
import type { Sqlite } from "./Sqlite.ts"
import * as SqliteFile from "./SqliteFile.ts"

/** How long a query may take, including the queries that it waits for. */
const queryTimeoutMs = 10_000

/** A projection on this node. */
export type Running = Omit<SqliteFile.SqliteFile, "ended">

/** Removes files of other versions, and an unusable file of this version: the file itself before its companions. */
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

/** Removes all files of a projection that does not run. */
export const remove = (projection: Sqlite, files: DerivedFiles) =>
  Effect.scoped(Effect.flatMap(files.folder, (folder) => removeFiles(projection, { folder, isUnusable: true })))

/** Starts the projection, which runs until the scope closes. Returns after the first attempt to open the file. */
export const run = Effect.fnUntraced(function* (
  projection: Sqlite,
  options: { readonly files: DerivedFiles; readonly feed: Feed; readonly queryTimeoutMs?: number }
): Effect.fn.Return<Running, never, Scope.Scope> {
  const { name, version } = projection
  const fileName = `${name}.v${version}.sqlite`
  const changed = Condition.make()
  let file: SqliteFile.SqliteFile | undefined
  let failure: ProjectionFailed | undefined
  /** Why there is no open file now. */
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

  /** The last warning about a file that cannot be opened. It tries each second, but logs the same warning once. */
  let said: string | undefined

  const life = Effect.gen(function* () {
    const own = yield* opened
    file = own
    isTried = true
    changed.changed()
    if (said !== undefined) yield* Effect.logInfo(`The projection ${name} has opened "${fileName}" again`)
    said = undefined
    const isOver = Effect.sync(() => {
      file = undefined
      changed.changed()
    })
    // Set this before the scope closes, so that nobody queries a file that is closing.
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
    /** The last entry that the file was applying when it failed. If a rebuilt file fails before it is past that, it would fail for ever. */
    let endedIndex = -1
    while (true) {
      const { failed, index, throughIndex } = yield* Effect.flip(life)
      const { message, reason } = failed
      closedFor = message
      if (reason === "refused") return yield* fail(index, message)
      if (reason === "passing" || (reason === "ended" && throughIndex === 0)) {
        isTried = true
        changed.changed()
        if (message !== said) yield* Effect.logWarning(`Cannot open "${fileName}" now, trying again: ${message}`)
        said = message
        yield* Effect.sleep(SqliteFile.retryMs)
      } else {
        if (throughIndex <= endedIndex) return yield* fail(index, `${message}, also after the file was rebuilt`)
        endedIndex = throughIndex
        isUnusable = reason === "unusable"
        said = message
        yield* Effect.logWarning(
          `Cannot use "${fileName}": ${message}. ${isUnusable ? "Rebuilding" : "Opening"} it again`
        )
      }
    }
  })
  yield* lives.pipe(
    // This does not catch the fiber's own interruption.
    Effect.catchCause((cause) =>
      Effect.andThen(
        Effect.logError(`The projection ${name} failed with a defect`, cause),
        fail(1, "it failed with a defect")
      )
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
          Effect.fail(new SqliteFailed({ reason: "passing", message: `The file cannot be used now: ${closedFor}` }))
      )
  }
})
