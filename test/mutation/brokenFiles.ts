/**
 * Lines that make files durable, or say what may be believed of them after a crash, each with what becomes of it when
 * somebody breaks it. The tests on a simulated disk must then fail. Data only.
 */
import type { Mutation, NamedTest } from "../Mutation.ts"

export interface BrokenFile extends Mutation {
  readonly name: string
  /** What finds it; the drawn lives unless given. */
  readonly test?: NamedTest
}

const lives: NamedTest = {
  file: "test/EventStore/simulatedLives.test.ts",
  title: "keep all that was acknowledged through kill -9, loss of power and refusals, or refuse what is rotten"
}

/** The test that must notice. */
export const testOf = ({ test }: BrokenFile): NamedTest => test ?? lives

const step = (title: string): NamedTest => ({ file: "test/EventStore/simulatedDisk.test.ts", title })
const offeredAgain = step("a snapshot that is offered again is durable, though a sync failed the first time")

export const brokenFiles: ReadonlyArray<BrokenFile> = [
  {
    name: "a life begins before its number is synced",
    file: "src/EventStore/Life.ts",
    find: `    yield* syncDirectory(directory)\n`,
    replace: ``
  },
  {
    name: "no directory is ever synced",
    file: "src/EventStore/Files.ts",
    find: "(system, done) => system.fsync(file, done)))",
    replace: "(_, done) => done(null)))"
  },
  {
    name: "a start believes names that the life before never synced",
    file: "src/EventStore/Files.ts",
    find: `  yield* syncDirectory(path)\n})`,
    replace: `})`
  },
  {
    name: "a folder is made, and its name not synced",
    file: "src/EventStore/Files.ts",
    find: `  yield* isMade ? syncDirectory(parent) : syncIfReadable(parent)\n`,
    replace: ``
  },
  {
    name: "a folder is made in one whose own name was never synced",
    file: "src/EventStore/Files.ts",
    find: `  yield* syncIfReadable(dirname(parent))\n`,
    replace: ``,
    test: step("a folder is durable, though a process that made those above it was killed at any call")
  },
  {
    name: "a snapshot that is offered again is promised by a name whose sync failed",
    file: "src/EventStore/Snapshots.ts",
    find: `            yield* files.syncNames\n`,
    replace: ``,
    test: offeredAgain
  },
  {
    name: "a part of a snapshot is kept whose sync failed",
    file: "src/EventStore/PartialSnapshot.ts",
    find: `Effect.onError(() => Effect.ignore(remove))`,
    replace: `(synced) => synced`,
    test: offeredAgain
  },
  {
    name: "a file is renamed before it is synced",
    file: "src/EventStore/Files.ts",
    find: `      yield* syncFile(file)\n`,
    replace: ``
  },
  {
    name: "a batch is acknowledged before it is synced",
    file: "src/EventStore/SegmentFile.ts",
    find: `  yield* syncData(segment.file)\n`,
    replace: ``
  },
  {
    name: "a batch that is written at once is acknowledged before it is synced",
    file: "src/EventStore/Files.ts",
    find: `  system.fdatasync(file, (error) => {
    done(`,
    replace: `  Promise.resolve(null as Error | null).then((error) => {
    done(`
  },
  {
    name: "a batch is written at once behind one whose sync failed",
    file: "src/EventStore/FileLog.ts",
    find: `      poisonBy(failure)
      return Exit.fail(failure)
`,
    replace: `      return Exit.fail(failure)
`,
    test: {
      file: "test/EventStore/fileLog.test.ts",
      title: "is poisoned for good by a failed sync, however it was written"
    }
  },
  {
    name: "a file is closed while a batch is written at once",
    file: "src/EventStore/FileLog.ts",
    find: "next.readyBytes() < segmentSizeBytes) ? idle.await : mark",
    replace: "next.readyBytes() < segmentSizeBytes) ? Effect.void : mark",
    test: {
      file: "test/EventStore/fileLog.test.ts",
      title: "that closes waits for the batch that is written at once, and begins no other"
    }
  },
  {
    name: "the next segment is entered before its header is synced",
    file: "src/EventStore/NextSegment.ts",
    find: `Effect.andThen(writeAll(file, encodeSegmentHeader(header), 0), syncData(file))`,
    replace: `writeAll(file, encodeSegmentHeader(header), 0)`
  },
  {
    name: "the next segment takes batches before its name is synced",
    file: "src/EventStore/NextSegment.ts",
    find: `      yield* syncDirectory(directory)\n`,
    replace: ``
  },
  {
    name: "a torn record passes for a whole one",
    file: "src/EventStore/Record.ts",
    find: `  if (checksum(body) !== header.payloadChecksum) return { _tag: "Damaged", what: "payload checksum differs" }\n`,
    replace: ``
  },
  {
    name: "the rest of a torn tail stays behind the next batch",
    file: "src/EventStore/FileLogRecovery.ts",
    find: `  if (torn !== undefined) yield* repairTorn(directory, torn)\n`,
    replace: ``
  },
  {
    name: "the last batch is believed, though it may stand in the page cache alone",
    file: "src/EventStore/FileLogRecovery.ts",
    find: `  if (lastBatch !== undefined) yield* renew(directory, lastBatch)\n`,
    replace: ``,
    test: step("an entry that a start has found is durable, though a process was killed at any call of its write")
  },
  {
    name: "damage that a later batch proves is cut off as a torn tail",
    file: "src/EventStore/Recovery.ts",
    find: `  if (provenAt !== undefined)\n`,
    replace: `  if (provenAt === -1)\n`
  },
  {
    name: "needless segments are removed from the first on",
    file: "src/EventStore/FileLogRecovery.ts",
    find: `    const last = needless.sort().pop()\n`,
    replace: `    const last = needless.sort().shift()\n`
  },
  {
    name: "a snapshot is renamed before it is synced",
    file: "src/EventStore/Snapshots.ts",
    find: `    yield* put(trailer)\n    yield* file.sync\n`,
    replace: `    yield* put(trailer)\n`
  },
  {
    name: "a snapshot is promised before its name is synced",
    file: "src/EventStore/NamedFiles.ts",
    find: `Effect.andThen(renameFile(path(from), path(to)), syncDirectory(directory))`,
    replace: `renameFile(path(from), path(to))`
  },
  {
    name: "a received snapshot is promised before it is synced",
    file: "src/EventStore/PartialSnapshot.ts",
    find: `(file) => file.sync`,
    replace: `() => Effect.void`
  }
]
