/** `lithair export`: the records of an archive or a stopped node as lines of JSON, or the events of its entries. */
import { Console, Effect, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { BackupRefused } from "../Backup/BackupRefused.ts"
import { exportEvents, exportRows } from "../Backup/Export.ts"
import { loadArchives } from "../Backup/ReadArchive.ts"
import { loadDirectory, openDirectory } from "../Backup/ReadDirectory.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { refusing } from "./Failures.ts"
import { cluster, restorable, type Source, source, sourceAt } from "./Source.ts"

const pageMaxBytes = 1024 * 1024

/** Prints many lines at once. */
const printLines = (lines: Iterable<string>) =>
  Stream.runForEachArray(Stream.fromIterable(lines, { chunkSize: 512 }), (some) => Console.log(some.join("\n")))

const printEvents = (entries: ReadonlyArray<LogEntry>, models: ReadonlyArray<string>) => {
  const lines = entries.flatMap((entry) => exportEvents(entry, models))
  return lines.length === 0 ? Effect.void : Console.log(lines.join("\n"))
}

const exportArchive = Effect.fnUntraced(function* (
  found: Exclude<Source, { readonly _tag: "Directory" }>,
  isEvents: boolean,
  models: ReadonlyArray<string>
) {
  const { archives } = yield* restorable(found, undefined, { isStateOnly: true })
  // Proves all of it first: nobody should act on half of a damaged archive.
  const { state } = yield* loadArchives(archives, { isStateBuilt: !isEvents })
  if (isEvents) {
    let lastIndex = 0
    for (const { pieces } of archives) {
      yield* Stream.runForEach(pieces, (piece) => {
        if (piece._tag !== "Entries") return Effect.void
        const entries = piece.entries.filter(({ index }) => index > lastIndex)
        lastIndex = Math.max(lastIndex, entries.at(-1)?.index ?? 0)
        return printEvents(entries, models)
      })
    }
    return
  }
  if (state === undefined) {
    return yield* new BackupRefused({ message: `"${archives[0]?.name}" holds entries alone: add --events` })
  }
  return yield* printLines(exportRows(state.tables, models))
})

const exportDirectory = Effect.fnUntraced(function* (path: string, isEvents: boolean, models: ReadonlyArray<string>) {
  const opened = yield* openDirectory(path)
  if (!isEvents) return yield* printLines(exportRows((yield* loadDirectory(opened)).tables, models))
  const { lastIndex, log } = opened
  for (let next = log.held.firstIndex; next <= lastIndex; ) {
    const entries = yield* log.read({ fromIndex: next, toIndex: lastIndex, maxBytes: pageMaxBytes })
    if (entries.length === 0) return
    yield* printEvents(entries, models)
    next += entries.length
  }
}, Effect.scoped)

/** The command. */
export const exporting = Command.make(
  "export",
  {
    source,
    cluster,
    events: Flag.Boolean("events").pipe(
      Flag.withDescription("Print the events of the entries, instead of the records"),
      Flag.withDefault(false)
    ),
    model: Flag.String("model").pipe(Flag.withDescription("Only this model; may be given again"), Flag.atLeast(0))
  },
  Effect.fnUntraced(function* ({ cluster, events, model, source }) {
    const found = yield* sourceAt(source, cluster)
    const exported: Effect.Effect<void, { readonly message: string }> =
      found._tag === "Directory" ? exportDirectory(found.path, events, model) : exportArchive(found, events, model)
    yield* refusing(exported)
  })
).pipe(Command.withDescription("Print records, or events, as one line of JSON each"))
