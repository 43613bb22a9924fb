/**
 * Proves all entries that a directory holds, where no node runs: every byte of its history and its log, the chain of
 * digests over them, and that erasures of the state name all that is missing of an entry. Changes nothing.
 */
import { Effect, Result } from "effect"
import { listDirectory } from "../EventStore/Files.ts"
import { type HistoryFile, parseHistoryName } from "../EventStore/HistoryFormat.ts"
import * as HistoryReader from "../EventStore/HistoryReader.ts"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import type { LogCorrupt, LogFailed } from "../EventStore/LogStore.ts"
import { filesIn } from "../EventStore/NamedFiles.ts"
import * as Erasure from "../Machine/Erasure.ts"
import type { Tables } from "../Machine/Tables.ts"
import { BackupRefused } from "./BackupRefused.ts"
import { type Checked, checking, type EvidenceCheck, type KeptDigest, transactionOf } from "./CheckEvidence.ts"
import type { OpenDirectory } from "./ReadDirectory.ts"

const pageMaxBytes = 1024 * 1024

/** What the entries of a directory prove. */
export interface VerifiedLog {
  readonly historyFilesCount: number
  readonly entriesCount: number
  /** The newest run of entries with digests; undefined if the log has no chain. */
  readonly checked: Checked | undefined
}

/** Verifies the entries of a directory whose state at the end of its log is `state`. */
export const verifyLog = Effect.fnUntraced(function* (
  { directory, lastIndex, log }: OpenDirectory,
  state: Tables,
  kept?: KeptDigest
): Effect.fn.Return<VerifiedLog, LogFailed | LogCorrupt | BackupRefused> {
  const folder = `${directory}/history`
  const names = (yield* listDirectory(directory)).includes("history") ? yield* listDirectory(folder) : []
  const files = names
    .flatMap((name) => parseHistoryName(name) ?? [])
    .toSorted((one, other) => one.fromIndex - other.fromIndex)
  const reader = HistoryReader.make(filesIn(folder))
  const erasures = Erasure.erasuresOf(state)
  const wrong = (what: string) => new BackupRefused({ message: `"${directory}": ${what}` })
  /** A kept digest may lie before a gap of the history: it is compared with each run. */
  let check: EvidenceCheck = checking({})
  let entriesCount = 0
  let nextIndex = 0
  let isKeptMet = kept === undefined

  const take = (entries: ReadonlyArray<LogEntry>): string | undefined => {
    for (const entry of entries) {
      if (entry.index < nextIndex) continue
      if (entry.index > nextIndex) check = checking({})
      const transaction = transactionOf(entry)
      check.take(entry, transaction)
      const unnamed = transaction === undefined ? undefined : Erasure.unnamedIn(transaction, entry.index, erasures)
      if (unnamed !== undefined) return `entry ${entry.index} was altered: ${unnamed}`
      entriesCount += 1
      nextIndex = entry.index + 1
      if (kept?.index !== entry.index) continue
      const through = check.end()
      isKeptMet = true
      if (Result.isFailure(through)) return through.failure
      if (through.success?.digest !== kept.digest) {
        return `the digest at ${kept.index} is ${through.success?.digest ?? "not there"}, and not ${kept.digest}: an entry up to there was altered`
      }
    }
    return undefined
  }

  const takeFile = Effect.fnUntraced(function* (file: HistoryFile) {
    for (let fromIndex = file.fromIndex; fromIndex <= file.toIndex; ) {
      const entries = yield* reader
        .read(file, { fromIndex, toIndex: file.toIndex, maxBytes: pageMaxBytes })
        .pipe(
          Effect.catchTag("HistoryDamaged", ({ name, what }) => Effect.fail(wrong(`"${name}" is damaged: ${what}`)))
        )
      const found = take(entries)
      if (found !== undefined) return yield* wrong(found)
      fromIndex += entries.length
    }
  })

  yield* Effect.forEach(files, takeFile, { discard: true })
  for (let fromIndex = log.held.firstIndex; fromIndex <= Math.min(lastIndex, log.held.lastIndex); ) {
    const entries = yield* log.read({ fromIndex, toIndex: log.held.lastIndex, maxBytes: pageMaxBytes })
    if (entries.length === 0) break
    const found = take(entries)
    if (found !== undefined) return yield* wrong(found)
    fromIndex += entries.length
  }
  const ended = check.end()
  if (Result.isFailure(ended)) return yield* wrong(ended.failure)
  const checked = ended.success
  const { chain } = state
  if (checked !== undefined && chain?.index === checked.index && chain.digest !== checked.digest) {
    return yield* wrong(
      `the digest of the state is ${chain.digest}, and the entries have ${checked.digest}: an entry or a snapshot was altered`
    )
  }
  if (!isKeptMet && kept !== undefined)
    return yield* wrong(`it does not hold entry ${kept.index}, whose digest is to be compared`)
  return { historyFilesCount: files.length, entriesCount, checked }
})
