/** `lithair export`: the records of an archive or a stopped node as lines of JSON, or the events of its entries. */
import { Console, Effect, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { BackupRefused } from "../Backup/BackupRefused.ts"
import { exportEvents, exportRows } from "../Backup/Export.ts"
import { loadArchive } from "../Backup/ReadArchive.ts"
import { loadDirectory, openDirectory } from "../Backup/ReadDirectory.ts"
import { archivePieces } from "../EventStore/ArchiveFile.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { refusing } from "./Failures.ts"
import { isDirectory, source } from "./Source.ts"

const pageMaxBytes = 1024 * 1024

/** Prints many lines at once. */
const printLines = (lines: Iterable<string>) =>
  Stream.runForEachArray(Stream.fromIterable(lines, { chunkSize: 512 }), (some) => Console.log(some.join("\n")))

const printEvents = (entries: ReadonlyArray<LogEntry>, models: ReadonlyArray<string>) => {
  const lines = entries.flatMap((entry) => exportEvents(entry, models))
  return lines.length === 0 ? Effect.void : Console.log(lines.join("\n"))
}

const exportArchive = Effect.fnUntraced(function* (path: string, isEvents: boolean, models: ReadonlyArray<string>) {
  // Proves all of it first: nobody should act on half of a damaged archive.
  const { state } = yield* loadArchive(path, { isStateBuilt: !isEvents })
  if (isEvents) {
    return yield* Stream.runForEach(archivePieces(path), (piece) =>
      piece._tag === "Entries" ? printEvents(piece.entries, models) : Effect.void
    )
  }
  if (state === undefined) return yield* new BackupRefused({ message: `"${path}" holds entries alone: add --events` })
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
    events: Flag.Boolean("events").pipe(
      Flag.withDescription("Print the events of the entries, instead of the records"),
      Flag.withDefault(false)
    ),
    model: Flag.String("model").pipe(Flag.withDescription("Only this model; may be given again"), Flag.atLeast(0))
  },
  Effect.fnUntraced(function* ({ events, model, source }) {
    yield* refusing(
      Effect.flatMap(
        isDirectory(source),
        (isFolder): Effect.Effect<void, { readonly message: string }> =>
          isFolder ? exportDirectory(source, events, model) : exportArchive(source, events, model)
      )
    )
  })
).pipe(Command.withDescription("Print records, or events, as one line of JSON each"))
