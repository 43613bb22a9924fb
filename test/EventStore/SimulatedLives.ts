/**
 * The real log and the real snapshots, through many lives on one simulated disk (src/Testing/SimulatedDisk.ts): each life
 * ends in order, by kill -9, by loss of power or with a disk that refuses. Whatever was acknowledged is there in the next
 * one, whole. Where bytes rot at rest, it is there or the log is refused. Everything follows from the seed.
 */
import { assert } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { TestClock } from "effect/testing"
import { layerFile as layerLog } from "../../src/EventStore/FileLog.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { listDirectory, makeDirectory } from "../../src/EventStore/Files.ts"
import { History } from "../../src/EventStore/History.ts"
import { layerFile as layerHistory } from "../../src/EventStore/HistoryFiles.ts"
import * as KeptLog from "../../src/EventStore/KeptLog.ts"
import { beginLife } from "../../src/EventStore/Life.ts"
import type { HardState, LogEntry, LogWrite } from "../../src/EventStore/LogEntry.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { type LogFailed, LogStore } from "../../src/EventStore/LogStore.ts"
import { applyWrite, type MemoryLog, makeMemoryLog } from "../../src/EventStore/MemoryLog.ts"
import { decodeRecord } from "../../src/EventStore/Record.ts"
import { decodeSegmentSalt, SEGMENT_HEADER_BYTES } from "../../src/EventStore/Segment.ts"
import { type SnapshotInfo, SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerFile as layerSnapshots } from "../../src/EventStore/Snapshots.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import * as Files from "../../src/Testing/SimulatedFiles.ts"
import * as Random from "../../src/Testing/simulator/Random.ts"
import { appendNow, plain } from "./logStoreContract.ts"
import { bytesOf, foreign, offerOf } from "./snapshotStoreContract.ts"

const livesCount = 12
/** In folders that a start has to make, too. */
const root = "/var/lib/node"

const layerOf = () =>
  Layer.merge(
    KeptLog.layer(
      layerLog({ directory: `${root}/log`, segmentSizeBytes: 4096 }),
      // Compression runs on threads, whose order no seed draws.
      layerHistory({ directory: `${root}/history`, isCompressed: false })
    ),
    layerSnapshots({ directory: `${root}/snapshots` })
  )

/** What is promised so far. */
interface Promised {
  log: MemoryLog
  /** The log too, if the batch that was under way when the last life ended has become durable all the same. */
  maybe: MemoryLog | undefined
  /** Digests, by index and term. */
  readonly snapshots: Map<string, string>
  newestSnapshot: number
  /** What a leader offered last: the same is offered again, as long as the log has not come as far. */
  offeredIndex: number
  /** The number of the last life that began: no other has it. */
  lifeNumber: number
  /** Compacted at most so far: entries above are there. */
  compactedIndex: number
  /** The committed entries that were taken from the log or may have been: each is in the log still, or in the history. */
  readonly committed: Map<number, LogEntry>
  /** Those of them that a snapshot replaced before they were kept: they may be missing. */
  readonly unkept: Set<number>
}

const copyOf = (log: MemoryLog): MemoryLog => ({ ...log, entries: [...log.entries] })
const lastIndexOf = ({ entries, firstIndex }: MemoryLog): number => firstIndex + entries.length - 1
const termOf = (log: MemoryLog, index: number): number | undefined =>
  index === log.firstIndex - 1 ? log.previousTerm : log.entries[index - log.firstIndex]?.term

/** What of a log can be compared with what a start reads: whole segments of compacted history may be left, or not. */
const shown = (log: MemoryLog, fromIndex: number) => ({
  hardState: log.hardState,
  lastIndex: lastIndexOf(log),
  snapshot: log.snapshot,
  entries: plain(log.entries.slice(Math.max(0, fromIndex - log.firstIndex)))
})

const read = Effect.gen(function* () {
  const { read, recovered } = yield* LogStore
  const { firstIndex, hardState, lastIndex, snapshot } = recovered
  const entries = yield* read({ fromIndex: firstIndex, toIndex: lastIndex, maxBytes: Number.MAX_SAFE_INTEGER })
  return { firstIndex, shown: { hardState, lastIndex, snapshot, entries: plain(entries) } }
})

const isEqual = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other)

/** What a start finds is what was promised. It settles whether the batch under way is part of that. */
const checkLog = Effect.fnUntraced(function* (promised: Promised) {
  const found = yield* read
  const { maybe } = promised
  if (maybe !== undefined && isEqual(shown(maybe, found.firstIndex), found.shown)) promised.log = maybe
  else assert.deepStrictEqual(found.shown, shown(promised.log, found.firstIndex))
  promised.maybe = undefined
  assert.isAtMost(found.firstIndex, Math.max(promised.log.firstIndex, promised.compactedIndex + 1))
})

/** The history holds committed entries only, and with the log it holds every one that was kept. */
const checkHistory = Effect.fnUntraced(function* ({ committed, unkept }: Promised) {
  const { read } = yield* LogStore
  const history = yield* History
  const readable = (fromIndex: number) => read({ fromIndex, toIndex: fromIndex, maxBytes: 1 })
  for (const { fromIndex, toIndex } of history.ranges()) {
    for (let index = fromIndex; index <= toIndex; index++) {
      const found = yield* history.read({ fromIndex: index, toIndex: index, maxBytes: 1 })
      const entry = committed.get(index)
      assert.isDefined(entry, `entry ${index} is in the history, and was never committed`)
      assert.deepStrictEqual(plain(found), plain([entry!]))
    }
  }
  for (const [index, entry] of committed) {
    if (!unkept.has(index)) assert.deepStrictEqual(plain(yield* readable(index)), plain([entry]))
  }
})

/** Notes that the entries through an index are committed. */
const commit = ({ committed, log }: Promised, throughIndex: number): void => {
  for (const entry of log.entries) if (entry.index <= throughIndex) committed.set(entry.index, entry)
}

const nameOf = ({ index, term }: Pick<SnapshotInfo, "index" | "term">): string => `${index}-${term}`

const contentOf = (index: number): Uint8Array => bytesOf(100 + ((index * 37) % 3000), index)

const checkSnapshots = Effect.fnUntraced(function* (promised: Promised) {
  const snapshots = yield* SnapshotStore
  const { firstIndex, snapshot: mark } = (yield* LogStore).recovered
  const newest = yield* snapshots.openNewest({ atLeastIndex: firstIndex - 1 })
  assert.isAtLeast(newest?.info.index ?? 0, Math.max(promised.newestSnapshot, mark?.index ?? 0))
  if (newest === undefined) return undefined
  const content = Buffer.concat(yield* Stream.runCollect(newest.content))
  assert.isTrue(content.equals(contentOf(newest.info.index)), `the content of snapshot ${newest.info.index}`)
  const digest = promised.snapshots.get(nameOf(newest.info))
  if (digest !== undefined) assert.strictEqual(newest.info.digest, digest)
  return newest.info
}, Effect.scoped)

interface Life {
  readonly random: Random.Random
  readonly disk: Disk.SimulatedDisk
  readonly promised: Promised
}

const drawnWrite = ({ random }: Life, log: MemoryLog): LogWrite => {
  const lastIndex = lastIndexOf(log)
  const lowest = Math.max(log.firstIndex, (log.snapshot?.index ?? 0) + 1)
  const mayTruncate = lowest <= lastIndex && Random.isChosen(random, 0.15)
  const truncateFromIndex = mayTruncate ? lowest + Random.below(random, lastIndex + 1 - lowest) : undefined
  const term = Math.max(1, log.hardState.currentTerm) + (Random.isChosen(random, 0.2) ? 1 : 0)
  const hardState: HardState = { currentTerm: term, votedFor: Random.pick(random, ["a", "b", undefined]) }
  const from = truncateFromIndex ?? lastIndex + 1
  const maxBytes = Random.pick(random, [10, 100, 1000])
  const entries = Array.from({ length: Random.below(random, 8) }, (_, at): LogEntry => {
    const payload = bytesOf(Random.below(random, maxBytes), from + at + term)
    return { index: from + at, term, type: "transaction", payload }
  })
  return { ...(truncateFromIndex === undefined ? {} : { truncateFromIndex }), hardState, entries }
}

/** A log on a full disk waits: it gets room after a while, as an operator gives it. */
const givingRoom = <A, E, R>({ disk }: Life, work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const working = yield* Effect.forkChild(work)
    yield* TestClock.adjust(1)
    if (working.pollUnsafe() === undefined) {
      yield* TestClock.adjust(2_500)
      disk.capacityBytes = Number.POSITIVE_INFINITY
      yield* TestClock.adjust(2_500)
    }
    return yield* Fiber.join(working)
  })

/** Appends, and promises what came of it. */
const append = Effect.fnUntraced(function* (life: Life, writes: ReadonlyArray<LogWrite>) {
  const { promised } = life
  const after = copyOf(promised.log)
  for (const write of writes) applyWrite(after, write)
  promised.maybe = after
  const log = yield* LogStore
  // Every second batch as a node writes it.
  const isNow = lastIndexOf(promised.log) % 2 === 0
  yield* givingRoom(life, isNow ? appendNow(log, writes) : log.append(writes))
  promised.log = after
  promised.maybe = undefined
})

const keep = (promised: Promised, info: Pick<SnapshotInfo, "digest" | "index" | "term">): void => {
  promised.snapshots.set(nameOf(info), info.digest)
  promised.newestSnapshot = Math.max(promised.newestSnapshot, info.index)
}

/** A snapshot that could not be written or received: the node goes on without it. */
const orWithout = <A, E, R>(work: Effect.Effect<A, E | LogFailed, R>) => Effect.option(work)

const takeSnapshot = Effect.fnUntraced(function* (life: Life) {
  const { promised, random } = life
  const { log } = promised
  const index = Random.isChosen(random, 0.5) ? lastIndexOf(log) : lastIndexOf(log) - Random.below(random, 5)
  const term = termOf(log, index)
  if (index <= promised.newestSnapshot || index <= (log.snapshot?.index ?? 0) || term === undefined) return
  const store = yield* SnapshotStore
  const configuration = new Uint8Array(8)
  const written = yield* orWithout(store.write({ index, term, configuration, content: [contentOf(index)] }))
  if (Option.isNone(written)) return
  keep(promised, written.value)
  yield* append(life, [{ snapshot: { index, term }, entries: [] }])
})

/** A start believes the snapshot that it finds, though the life before was killed while it published it. */
const markFound = Effect.fnUntraced(function* (life: Life, { digest, index, term }: SnapshotInfo) {
  const { promised, random } = life
  const { log } = promised
  if (index <= (log.snapshot?.index ?? 0) || termOf(log, index) !== term || Random.isChosen(random, 0.3)) return
  keep(promised, { digest, index, term })
  yield* append(life, [{ snapshot: { index, term }, entries: [] }])
})

const compact = Effect.fnUntraced(function* (life: Life) {
  const { promised, random } = life
  const markedIndex = promised.log.snapshot?.index ?? 0
  if (markedIndex === 0) return
  const throughIndex = markedIndex - Random.below(random, 3)
  if (throughIndex < 1) return
  promised.compactedIndex = Math.max(promised.compactedIndex, throughIndex)
  commit(promised, throughIndex)
  yield* givingRoom(life, (yield* LogSpace).compact({ throughIndex }))
})

/** A snapshot of a leader that is ahead comes in chunks; once it is whole, the log begins anew behind it. */
const installSnapshot = Effect.fnUntraced(function* (life: Life) {
  const { promised, random } = life
  const lastIndex = lastIndexOf(promised.log)
  const isAgain = promised.offeredIndex > lastIndex && Random.isChosen(random, 0.8)
  const index = isAgain ? promised.offeredIndex : lastIndex + 1 + Random.below(random, 10)
  promised.offeredIndex = index
  const elsewhere = () => layerSnapshots({ directory: `/elsewhere-${index}` })
  const { file, info } = yield* foreign(elsewhere, index, contentOf(index)).pipe(
    Effect.provideService(FileSystem, Files.start(Disk.make(Random.make(index))).system),
    Effect.orDie
  )
  const store = yield* SnapshotStore
  const finished = yield* orWithout(
    Effect.gen(function* () {
      const receiving = yield* store.receive(offerOf(info))
      while (receiving.receivedBytes() < file.length) {
        const offset = receiving.receivedBytes()
        yield* receiving.append({ offset, bytes: file.subarray(offset, offset + 700) })
        // The leader is gone for now; the same offer may come again, in this life or another.
        if (Random.isChosen(random, 0.1)) return undefined
      }
      return yield* receiving.finish
    })
  )
  if (Option.isNone(finished) || finished.value === undefined) return
  keep(promised, info)
  const committedIndex = promised.log.snapshot?.index ?? 0
  commit(promised, committedIndex)
  const kept = yield* orWithout((yield* LogSpace).keep({ throughIndex: committedIndex }))
  if (Option.isNone(kept)) for (const { index } of promised.log.entries) promised.unkept.add(index)
  const { term } = info
  const hardState = { currentTerm: Math.max(term, promised.log.hardState.currentTerm), votedFor: undefined }
  yield* append(life, [{ snapshot: { index, term }, hardState, entries: [] }])
})

const act = (life: Life): Effect.Effect<unknown, unknown, LogStore | LogSpace | History | SnapshotStore> => {
  const { random } = life
  const roll = random()
  if (roll < 0.6) {
    const after = copyOf(life.promised.log)
    const writes = Array.from({ length: 1 + Random.below(random, 3) }, () => {
      const write = drawnWrite(life, after)
      applyWrite(after, write)
      return write
    })
    return append(life, writes)
  }
  if (roll < 0.72) return TestClock.adjust(120)
  if (roll < 0.84) return takeSnapshot(life)
  if (roll < 0.92) return compact(life)
  return installSnapshot(life)
}

const checkLifeNumber = Effect.fnUntraced(function* (promised: Promised) {
  yield* makeDirectory(root)
  const lifeNumber = yield* beginLife(root, yield* listDirectory(root))
  assert.isAbove(lifeNumber, promised.lifeNumber)
  promised.lifeNumber = lifeNumber
})

const live = (life: Life, actsCount: number) =>
  Effect.gen(function* () {
    yield* checkLog(life.promised)
    yield* checkHistory(life.promised)
    const found = yield* checkSnapshots(life.promised)
    if (found !== undefined) yield* markFound(life, found)
    for (let done = 0; done < actsCount; done++) yield* act(life)
  }).pipe(Effect.provide(layerOf(), { local: true }), (opened) =>
    Effect.andThen(checkLifeNumber(life.promised), opened)
  )

/** Whether a durable-through mark ends the segment: only then is damage before it told from a torn tail. */
const endsWithMark = (bytes: Uint8Array): boolean => {
  const salt = decodeSegmentSalt(bytes)
  let tag: string | undefined
  for (let offset = SEGMENT_HEADER_BYTES; ; ) {
    const decoded = decodeRecord(bytes, offset, { salt, offset })
    if (decoded._tag !== "Record") return tag === "DurableThrough"
    tag = decoded.record.body._tag
    offset += decoded.lengthBytes
  }
}

const endOf = (bytes: Uint8Array): number => bytes.findLastIndex((byte) => byte !== 0) + 1

/**
 * Rots a bit or a sector of the log where its marks vouch for it, and says whether it did. A sector with the last mark
 * itself is left alone: what it says of the batch beside it is gone with it.
 */
const rot = ({ disk, random }: Life): boolean => {
  const segments = Disk.filesIn(disk.root).filter(({ path }) => /\/log\/\d+\.log$/.test(path))
  const last = segments.sort((a, b) => (a.path < b.path ? -1 : 1)).at(-1)
  if (last === undefined || !endsWithMark(last.file.bytes)) return false
  const { file } = Random.pick(random, segments)
  if (Random.isChosen(random, 0.5)) {
    Disk.flipBit(file, Random.below(random, 8 * file.bytes.length))
    return true
  }
  const sector = Random.below(random, Math.ceil(file.bytes.length / disk.sectorBytes))
  const markSector = Math.floor((endOf(last.file.bytes) - 1) / disk.sectorBytes)
  const firstMarkSector = Math.floor((endOf(last.file.bytes) - 41) / disk.sectorBytes)
  if (file === last.file && (sector === markSector || sector === firstMarkSector)) return false
  Disk.rotSector(disk, file, sector)
  return true
}

/** Lives on one disk; ends with a failure of the test where a promise is broken. Says what the run came upon. */
export const lives = Effect.fnUntraced(function* (seed: number) {
  const random = Random.make(seed)
  const disk = Disk.make(random)
  const promised: Promised = {
    log: makeMemoryLog(),
    maybe: undefined,
    snapshots: new Map(),
    newestSnapshot: 0,
    offeredIndex: 0,
    lifeNumber: 0,
    compactedIndex: 0,
    committed: new Map(),
    unkept: new Set()
  }
  const life: Life = { random, disk, promised }
  const seen: Array<string> = []
  let isRotten = false
  for (let at = 0; at < livesCount && !isRotten; at++) {
    const killed = Random.pick<Files.ProcessOptions>(random, [
      {},
      { killedAtCall: 1 + Random.below(random, 250) },
      { killedAfterRename: 1 + Random.below(random, 6) }
    ])
    const chance = Random.isChosen(random, 0.25) ? 0.01 : 0
    if (Random.isChosen(random, 0.2)) {
      const usedBytes = Number.POSITIVE_INFINITY === disk.capacityBytes ? 0 : disk.capacityBytes
      disk.capacityBytes = usedBytes + Disk.filesIn(disk.root).reduce((sum, { file }) => sum + file.bytes.length, 0)
      disk.capacityBytes += Random.below(random, 20_000)
    }
    let isRefused = false
    const process = Files.start(disk, {
      ...killed,
      faultOf: () => {
        if (random() >= chance) return undefined
        isRefused = true
        return "EIO"
      }
    })
    const exit = yield* Effect.exit(
      Effect.provideService(live(life, Random.below(random, 25)), FileSystem, process.system)
    )
    const wasFull = disk.capacityBytes !== Number.POSITIVE_INFINITY
    if (Exit.isFailure(exit)) {
      const isExpected = process.isKilled() || isRefused || wasFull
      const failure = Exit.findErrorOption(exit)
      const tag = Option.isSome(failure) ? (failure.value as { readonly _tag?: string })._tag : "defect"
      if (!isExpected || tag !== "LogFailed") {
        return yield* Effect.die(new Error(`Seed ${seed}, life ${at + 1}, ${seen.join(", ")}: ${exit.cause}`))
      }
    }
    process.kill()
    disk.capacityBytes = Number.POSITIVE_INFINITY
    const ended = Exit.isSuccess(exit) ? "in order" : isRefused ? "refused" : wasFull ? "full" : "killed"
    const losesPower = Random.isChosen(random, 0.5)
    if (losesPower) Disk.losePower(disk)
    seen.push(losesPower ? `${ended}, power lost` : ended)
    isRotten = Exit.isSuccess(exit) && Random.isChosen(random, 0.15) && rot(life)
  }
  if (isRotten) {
    const process = Files.start(disk)
    const exit = yield* Effect.exit(Effect.provideService(live(life, 0), FileSystem, process.system))
    const failure = Exit.isFailure(exit) ? Exit.findErrorOption(exit) : Option.none()
    const isRefusal = Option.isSome(failure) && (failure.value as { readonly _tag?: string })._tag === "LogCorrupt"
    if (Exit.isFailure(exit) && !isRefusal) {
      return yield* Effect.die(new Error(`Seed ${seed}, rotten, ${seen.join(", ")}: ${exit.cause}`))
    }
    seen.push(isRefusal ? "rot refused" : "rot harmless")
  }
  return seen
})
