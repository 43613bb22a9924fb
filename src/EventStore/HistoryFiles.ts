/** The history of a log in files, on disk or in memory: temporary file, sync, rename. HistoryFormat.ts has the bytes, HistoryReader.ts reads, HistoryWriter.ts writes. */
import { Effect, Layer, Semaphore } from "effect"
import { codeOf, makeDirectory } from "./Files.ts"
import { type Erasing, History, type HistoryRange } from "./History.ts"
import {
  erasedName,
  HISTORY_BLOCK_BYTES,
  type HistoryFile,
  historyName,
  parseErasedName,
  parseHistoryName
} from "./HistoryFormat.ts"
import * as HistoryReader from "./HistoryReader.ts"
import * as HistoryWriter from "./HistoryWriter.ts"
import { LogFailed, type LogStore } from "./LogStore.ts"
import { filesIn, filesInMemory, type NamedFiles } from "./NamedFiles.ts"
import { rests } from "./Pace.ts"
import { scrubPauseMsDefault } from "./Scrub.ts"

/** The time between two scrubs of everything, in pauses: about a minute. */
const passPausesCount = 1_000

const TEMPORARY = ".tmp"
const ASIDE = ".damaged"

export interface HistoryOptions {
  /** Compresses what is written, on other threads. */
  readonly isCompressed: boolean
  /** The pause of the scrub between two blocks of 64 KiB. 62 by default. */
  readonly scrubPauseMs?: number
}

const isMissing = (failure: LogFailed): boolean => codeOf(failure) === "ENOENT"

const make = Effect.fnUntraced(function* (files: NamedFiles, options: HistoryOptions) {
  const reader = HistoryReader.make(files)
  const changing = yield* Semaphore.make(1)
  /** Ascending, without an overlap. */
  let held: ReadonlyArray<HistoryFile> = []
  let ranges: ReadonlyArray<HistoryRange> = []
  const hold = (next: ReadonlyArray<HistoryFile>): void => {
    held = next
    ranges = merged(next)
  }

  const names = yield* files.names
  for (const name of names) {
    // Its entries are in the log still, or in the file that it was to replace.
    if (name.endsWith(TEMPORARY)) yield* files.remove(name)
  }
  hold(withoutOverlap(names.flatMap((name) => parseHistoryName(name) ?? [])))
  let erasedThrough = Math.max(0, ...names.map((name) => parseErasedName(name) ?? 0))

  const writeFile = HistoryWriter.make(files, options)

  /**
   * Gives a written file its name, unless another has come meanwhile that holds some of its entries, or an erasure has,
   * whose data the file may hold. Returns whether.
   */
  const enter = Effect.fnUntraced(function* (temporary: string, file: HistoryFile, writtenThrough: number) {
    const isOverlap = held.some(({ fromIndex, toIndex }) => fromIndex <= file.toIndex && toIndex >= file.fromIndex)
    if (isOverlap || writtenThrough !== erasedThrough) {
      yield* files.remove(temporary)
      return false
    }
    yield* files.rename({ from: temporary, to: historyName(file) })
    hold([...held, file].sort((one, other) => one.fromIndex - other.fromIndex))
    return true
  }, changing.withPermits(1))

  let writtenCount = 0

  /**
   * Writes the first file of a range, and returns the entry behind it. Other files may come and go meanwhile, since the
   * entries may come from a slow peer: then it begins again.
   */
  const keepFile = (range: HistoryRange, read: LogStore["Service"]["read"]) =>
    Effect.suspend(() => {
      const temporary = `${range.fromIndex}-${++writtenCount}${TEMPORARY}`
      const writtenThrough = erasedThrough
      return writeFile(temporary, range, read).pipe(
        Effect.flatMap((file) =>
          Effect.map(enter(temporary, file, writtenThrough), (isEntered) =>
            isEntered ? file.toIndex + 1 : range.fromIndex
          )
        ),
        Effect.onError(() => Effect.ignore(files.remove(temporary)))
      )
    })

  /** The first part of a range that is not here; undefined if all of it is. */
  const missingOf = ({ fromIndex, toIndex }: HistoryRange): HistoryRange | undefined => {
    const before = ranges.find((range) => range.fromIndex <= fromIndex && fromIndex <= range.toIndex)
    const from = before === undefined ? fromIndex : before.toIndex + 1
    const after = ranges.find((range) => range.fromIndex > from)
    const to = Math.min(toIndex, (after?.fromIndex ?? Number.POSITIVE_INFINITY) - 1)
    return from > toIndex ? undefined : { fromIndex: from, toIndex: to }
  }

  const keep = Effect.fnUntraced(function* (range: HistoryRange, read: LogStore["Service"]["read"]) {
    for (let fromIndex = range.fromIndex; ; ) {
      const missing = missingOf({ fromIndex, toIndex: range.toIndex })
      if (missing === undefined) return
      fromIndex = yield* keepFile(missing, read)
    }
  })

  /** From now on the entries of this file count as missing. */
  const setAside = Effect.fnUntraced(
    function* (file: HistoryFile, what: string) {
      if (!held.includes(file)) return
      reader.forget(file)
      hold(held.filter((other) => other !== file))
      const name = historyName(file)
      yield* Effect.logError(
        `History is damaged: entries ${file.fromIndex} to ${file.toIndex} in "${name}" are lost on this node: ${what}`
      )
      yield* files.rename({ from: name, to: `${name}${ASIDE}` })
    },
    // The file is not read any more. The next start finds it again, and its damage.
    (setting) => Effect.ignore(setting),
    changing.withPermits(1)
  )

  const read = (range: HistoryRange & { readonly maxBytes: number }): ReturnType<History["Service"]["read"]> =>
    Effect.suspend(() => {
      const { fromIndex } = range
      const file = fileAt(held, fromIndex)
      if (file === undefined) return notHere(fromIndex)
      const lost = (what: string) => Effect.andThen(setAside(file, what), notHere(fromIndex))
      return Effect.catch(reader.read(file, range), (error) => {
        // Another file has come in its place, or none.
        if (!held.includes(file)) return read(range)
        if (error._tag === "HistoryDamaged") return lost(error.what)
        return isMissing(error) ? lost(error.message) : Effect.fail(error)
      })
    })

  const removeBelow = Effect.fnUntraced(function* (index: number) {
    for (const file of held) {
      if (file.toIndex >= index) return
      reader.forget(file)
      hold(held.filter((other) => other !== file))
      yield* files.remove(historyName(file))
    }
  }, changing.withPermits(1))

  /** Whether a file holds an entry that `blank` changes. */
  const holdsErased = Effect.fnUntraced(function* (file: HistoryFile, blank: Erasing["blank"]) {
    const rest = yield* rests
    for (let fromIndex = file.fromIndex; fromIndex <= file.toIndex; ) {
      const entries = yield* reader.read(file, { fromIndex, toIndex: file.toIndex, maxBytes: HISTORY_BLOCK_BYTES })
      for (const entry of entries) if (blank(entry) !== entry) return true
      fromIndex += entries.length
      yield* rest
    }
    return false
  })

  /** Puts a file without erased data in the place of one that holds some. */
  const rewrite = Effect.fnUntraced(function* (file: HistoryFile, blank: Erasing["blank"]) {
    if (!held.includes(file) || !(yield* holdsErased(file, blank))) return file
    const temporary = `${file.fromIndex}${TEMPORARY}`
    const read: LogStore["Service"]["read"] = (range) =>
      reader.read(file, range).pipe(
        Effect.map((entries) => entries.map(blank)),
        Effect.catchTag("HistoryDamaged", ({ name, what }) =>
          Effect.fail(new LogFailed({ message: `"${name}": ${what}` }))
        )
      )
    const written = yield* Effect.onError(writeFile(temporary, file, read, Number.POSITIVE_INFINITY), () =>
      Effect.ignore(files.remove(temporary))
    )
    const [from, to] = [historyName(file), historyName(written)]
    yield* files.rename({ from: temporary, to })
    reader.forget(file)
    hold(held.map((other) => (other === file ? written : other)))
    if (from !== to) yield* files.remove(from)
    return written
  })

  /** Goes through all files, and through those that come meanwhile. A damaged one is set aside, and goes in the end. */
  const eraseOnce = Effect.fnUntraced(function* ({ blank, throughIndex }: Erasing, done: Set<HistoryFile>) {
    for (;;) {
      const file = held.find((file) => !done.has(file))
      if (file === undefined) break
      const left = yield* changing
        .withPermits(1)(Effect.uninterruptible(rewrite(file, blank)))
        .pipe(
          Effect.catchTag("HistoryDamaged", ({ what }) => Effect.as(setAside(file, what), file)),
          Effect.catchIf(
            (error) => error._tag === "LogFailed" && isMissing(error),
            (error) => Effect.as(setAside(file, error.message), file)
          )
        )
      done.add(left)
    }
    return yield* changing.withPermits(1)(
      Effect.suspend(() => (held.every((file) => done.has(file)) ? noteErased(throughIndex) : Effect.void))
    )
  })

  const erase = Effect.fnUntraced(function* (erasing: Erasing) {
    const done = new Set<HistoryFile>()
    while (erasing.throughIndex > erasedThrough) yield* eraseOnce(erasing, done)
  })

  const noteErased = Effect.fnUntraced(function* (throughIndex: number) {
    const ours = new Set(held.map(historyName))
    // Nobody reads them, and they may hold what is erased: files set aside, and those whose entries others have.
    const names = yield* files.names
    const isUseless = (name: string) =>
      name.endsWith(ASIDE) || (parseHistoryName(name) !== undefined && !ours.has(name))
    for (const name of names.filter(isUseless)) yield* files.remove(name)
    const temporary = `erased${TEMPORARY}`
    yield* Effect.scoped(Effect.flatMap(files.openToWrite(temporary), ({ sync }) => sync))
    yield* files.rename({ from: temporary, to: erasedName(throughIndex) })
    erasedThrough = throughIndex
    for (const name of names.filter((name) => parseErasedName(name) !== undefined)) yield* files.remove(name)
  })

  const pauseMs = options.scrubPauseMs ?? scrubPauseMsDefault / 4
  const scrub = Effect.gen(function* () {
    for (const file of held) {
      if (!held.includes(file)) continue
      yield* reader.verify(file, Effect.sleep(pauseMs)).pipe(
        Effect.catchTag("HistoryDamaged", ({ what }) => setAside(file, what)),
        Effect.catchTag("LogFailed", (failure) =>
          isMissing(failure) ? setAside(file, failure.message) : Effect.logWarning("Cannot verify history", failure)
        )
      )
      yield* Effect.sleep(pauseMs)
    }
    yield* Effect.sleep(pauseMs * passPausesCount)
  }).pipe(Effect.forever)

  return History.of({
    ranges: () => ranges,
    files: () => held,
    keep,
    read,
    removeBelow,
    erasedThrough: () => erasedThrough,
    erase,
    scrub
  })
})

const notHere = (index: number) =>
  Effect.fail(
    new LogFailed({ message: `Cannot read entry ${index}: this node does not retain it`, reason: "compacted" })
  )

/** The file that holds an entry. */
const fileAt = (files: ReadonlyArray<HistoryFile>, index: number): HistoryFile | undefined => {
  let low = 0
  let high = files.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (files[middle]!.fromIndex <= index) low = middle + 1
    else high = middle
  }
  const file = files[low - 1]
  return file !== undefined && index <= file.toIndex ? file : undefined
}

/** Files in order, without those whose entries others have: a file that was fetched again may lie beside one set back. */
const withoutOverlap = (files: ReadonlyArray<HistoryFile>): ReadonlyArray<HistoryFile> => {
  const kept: Array<HistoryFile> = []
  for (const file of files.toSorted((one, other) => one.fromIndex - other.fromIndex)) {
    if (file.fromIndex > (kept.at(-1)?.toIndex ?? 0)) kept.push(file)
  }
  return kept
}

/** Files that follow each other are one range. */
const merged = (files: ReadonlyArray<HistoryFile>): ReadonlyArray<HistoryRange> => {
  const ranges: Array<{ fromIndex: number; toIndex: number }> = []
  for (const { fromIndex, toIndex } of files) {
    const last = ranges.at(-1)
    if (last !== undefined && last.toIndex + 1 === fromIndex) last.toIndex = toIndex
    else ranges.push({ fromIndex, toIndex })
  }
  return ranges
}

/** In `directory`, which is made when it is missing. */
export const layerFile = (
  options: { readonly directory: string } & Partial<HistoryOptions>
): Layer.Layer<History, LogFailed> =>
  Layer.effect(
    History,
    Effect.andThen(
      makeDirectory(options.directory),
      make(filesIn(options.directory), { isCompressed: true, ...options })
    )
  )

/** In `files`, which outlive the layer, as plain bytes. */
export const layerOf = (files: NamedFiles, options?: Partial<HistoryOptions>): Layer.Layer<History, LogFailed> =>
  Layer.effect(History, make(files, { isCompressed: false, ...options }))

/** In memory, for tests and simulations. It forgets when its scope closes. */
export const layerMemory: Layer.Layer<History> = Layer.orDie(Layer.unwrap(Effect.sync(() => layerOf(filesInMemory()))))
