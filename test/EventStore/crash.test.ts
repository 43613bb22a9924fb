/** A crash at every step of a roll, a compaction, an installed snapshot and a written one, with any unsynced part lost. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layerFile as layerLog } from "../../src/EventStore/FileLog.ts"
import { FileSystem } from "../../src/EventStore/FileSystem.ts"
import { History } from "../../src/EventStore/History.ts"
import { layerFile as layerHistory } from "../../src/EventStore/HistoryFiles.ts"
import * as KeptLog from "../../src/EventStore/KeptLog.ts"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { SnapshotStore } from "../../src/EventStore/SnapshotStore.ts"
import { layerFile as layerSnapshots } from "../../src/EventStore/Snapshots.ts"
import { seeded } from "../Machine/Seeded.ts"
import { crashes, position, record, recorded, restore, stop } from "./Disk.ts"
import { appendNow, entries, plain, readLeft } from "./logStoreContract.ts"
import { bytesOf, foreign, offerOf, send, write } from "./snapshotStoreContract.ts"

const freshRoot = () => mkdtempSync(join(tmpdir(), "lithair-crash-"))

/** A node's log and snapshots. */
const disk = (root: string) =>
  Layer.merge(
    KeptLog.layer(
      layerLog({ directory: `${root}/log`, segmentSizeBytes: 4096 }),
      layerHistory({ directory: `${root}/history` })
    ),
    layerSnapshots({ directory: `${root}/snapshots` })
  )

const during = <A, E>(root: string, use: Effect.Effect<A, E, LogStore | LogSpace | History | SnapshotStore>) =>
  Effect.scoped(Effect.flatMap(Layer.build(disk(root)), (context) => Effect.provide(use, context))).pipe(
    Effect.provideService(FileSystem, recorded)
  )

/** What the history holds. */
const readHistory = Effect.gen(function* () {
  const history = yield* History
  const found: Array<LogEntry> = []
  for (const { fromIndex, toIndex } of history.ranges()) {
    for (let index = fromIndex; index <= toIndex; index++) {
      found.push(...(yield* history.read({ fromIndex: index, toIndex: index, maxBytes: 1 })))
    }
  }
  return found
})

/** What a start finds. */
const found = Effect.gen(function* () {
  const { recovered } = yield* LogStore
  const snapshots = yield* SnapshotStore
  const usable = yield* Effect.scoped(snapshots.openNewest({ atLeastIndex: recovered.firstIndex - 1 }))
  return { recovered, left: yield* readLeft, usable: usable?.info.index, history: yield* readHistory }
})

const now = (from: number, to: number) =>
  Effect.flatMap(LogStore, (log) => appendNow(log, [{ entries: entries(from, to) }]))

const append = (from: number, to: number, term = 1) =>
  Effect.flatMap(LogStore, (log) => log.append([{ entries: entries(from, to, term) }]))

const mark = (index: number, term: number) =>
  Effect.flatMap(LogStore, (log) => log.append([{ snapshot: { index, term }, entries: [] }]))

const compact = (throughIndex: number) =>
  Effect.flatMap(LogSpace, (space) => Effect.orDie(space.compact({ throughIndex })))

const keep = (throughIndex: number) => Effect.flatMap(LogSpace, (space) => Effect.orDie(space.keep({ throughIndex })))

/** Where in the recording each step ended: from there on its outcome is promised. */
const promised = <A, E, R>(into: Array<number>, step: Effect.Effect<A, E, R>) =>
  Effect.tap(step, () => Effect.sync(() => into.push(position())))

type Found = Effect.Success<typeof found>

/**
 * Does `steps` on what `before` left, then crashes at every operation of it; `check` says whether what the next start
 * found is right, given how many steps had ended. Every crash must leave a log that opens, and that can be written.
 */
const crashAtEveryStep = <E1, E2>(options: {
  readonly before: Effect.Effect<unknown, E1, LogStore | LogSpace | History | SnapshotStore>
  readonly steps: ReadonlyArray<Effect.Effect<unknown, E2, LogStore | LogSpace | History | SnapshotStore>>
  readonly check: (state: Found, endedCount: number) => void
}) =>
  Effect.gen(function* () {
    const root = freshRoot()
    yield* during(root, options.before)
    const ends: Array<number> = []
    record(root)
    yield* during(
      root,
      Effect.forEach(options.steps, (step) => promised(ends, step))
    )
    const recording = stop()
    assert.isAbove(recording.operations.length, 20, "nothing stands between the log and node:fs")
    const random = seeded(recording.operations.length)
    let crashesCount = 0
    for (const { contents, count } of crashes(recording, random.below)) {
      crashesCount++
      restore(root, contents)
      const endedCount = ends.filter((end) => end <= count).length
      const what = `after operation ${count} of ${recording.operations.length}, ${endedCount} steps ended`
      const opened = Effect.gen(function* () {
        const state = yield* found
        options.check(state, endedCount)
        const { lastIndex } = state.recovered
        yield* append(lastIndex + 1, lastIndex + 1, 9)
        return state
      })
      const state = yield* during(root, opened).pipe(Effect.tapCause(() => Effect.logError(what)))
      const again = yield* during(root, found).pipe(Effect.tapCause(() => Effect.logError(`${what}, opened again`)))
      const { lastIndex } = state.recovered
      assert.deepStrictEqual(
        plain(again.left),
        plain([...state.left, ...entries(lastIndex + 1, lastIndex + 1, 9)]),
        what
      )
    }
    assert.isAbove(crashesCount, recording.operations.length)
  })

const holds = ({ left }: Found, expected: ReadonlyArray<LogEntry>) =>
  assert.deepStrictEqual(plain(left), plain(expected))

/** A snapshot mark never stands for a snapshot that is not there (C14), nor is anything missing that none stands for. */
const isCovered = ({ recovered, usable }: Found) => {
  if (recovered.snapshot !== undefined) assert.isAtLeast(usable ?? 0, recovered.snapshot.index)
  assert.isAtLeast(recovered.snapshot?.index ?? 0, recovered.firstIndex - 1)
}

describe("a crash at every step", { timeout: 120_000 }, () => {
  it.live("of appends that roll to other segments loses nothing that was acknowledged", () =>
    crashAtEveryStep({
      before: append(1, 5),
      steps: [append(6, 30), now(31, 45), append(46, 75), now(76, 80)],
      check: (state, endedCount) => {
        const batches = [5, 30, 45, 75, 80]
        const { lastIndex } = state.recovered
        assert.include([batches[endedCount], batches[endedCount + 1]], lastIndex)
        holds(state, entries(1, lastIndex))
      }
    })
  )

  it.live("of a snapshot, its mark and the compaction below it keeps all that no snapshot stands for (C14)", () =>
    crashAtEveryStep({
      before: Effect.forEach([1, 41, 81, 121], (from) => append(from, from + 39)),
      steps: [write(120), mark(120, 1), compact(110), append(161, 162)],
      check: (state, endedCount) => {
        const { firstIndex, lastIndex, snapshot } = state.recovered
        isCovered(state)
        assert.isAtMost(firstIndex, 111)
        if (endedCount === 0 && snapshot === undefined) assert.strictEqual(firstIndex, 1)
        if (endedCount >= 1) assert.strictEqual(state.usable, 120)
        if (endedCount >= 2) assert.deepStrictEqual(snapshot, { index: 120, term: 1 })
        if (endedCount >= 3) assert.isAbove(firstIndex, 80)
        assert.include(endedCount === 4 ? [162] : endedCount === 3 ? [160, 162] : [160], lastIndex)
        assert.deepStrictEqual(state.recovered.termRuns, [{ fromIndex: firstIndex, term: 1 }])
        holds(state, entries(firstIndex, lastIndex))
        // Each entry is in the log, in the history, or in both.
        const keptIndex = state.history.at(-1)?.index ?? 0
        assert.isAtLeast(keptIndex, firstIndex - 1)
        assert.deepStrictEqual(plain(state.history), plain(entries(1, keptIndex)))
      }
    })
  )

  it.live("of an installed snapshot leaves the old log or the new, and never the mark without the snapshot (C13)", () =>
    Effect.gen(function* () {
      const other = () => layerSnapshots({ directory: freshRoot() })
      const { file, info } = yield* foreign(other, 500, bytesOf(3000))
      const receive = Effect.gen(function* () {
        const receiving = yield* (yield* SnapshotStore).receive(offerOf(info))
        yield* send(receiving, file)
        return yield* receiving.finish
      })
      const hardState = { currentTerm: 3, votedFor: "b" }
      const install = Effect.flatMap(LogStore, (log) =>
        log.append([{ snapshot: { index: 500, term: 2 }, hardState, entries: entries(501, 502, 3) }])
      )
      yield* crashAtEveryStep({
        before: Effect.forEach([1, 41], (from) => append(from, from + 39)),
        steps: [receive, Effect.andThen(keep(70), install), append(503, 530, 3)],
        check: (state, endedCount) => {
          const { firstIndex, lastIndex, previousTerm } = state.recovered
          isCovered(state)
          if (lastIndex !== 80 || state.history.length > 0) {
            assert.deepStrictEqual(plain(state.history), plain(entries(1, 70)))
          }
          if (endedCount >= 1) assert.strictEqual(state.usable, 500)
          if (lastIndex === 80) {
            assert.isBelow(endedCount, 2)
            holds(state, entries(1, 80))
            return
          }
          assert.isAtLeast(endedCount, 1)
          assert.deepStrictEqual({ firstIndex, previousTerm }, { firstIndex: 501, previousTerm: 2 })
          assert.deepStrictEqual(state.recovered.hardState, hardState)
          assert.include(endedCount === 3 ? [530] : endedCount === 2 ? [502, 530] : [502], lastIndex)
          holds(state, entries(501, lastIndex, 3))
        }
      })
    })
  )

  it.live("of snapshots one after another leaves the newest or the one before it, intact", () =>
    crashAtEveryStep({
      before: Effect.andThen(append(1, 5), write(2)),
      steps: [write(3), write(4), write(5)],
      check: ({ usable }, endedCount) => {
        const newest = [2, 3, 4, 5]
        assert.include([newest[endedCount], newest[endedCount + 1]], usable)
      }
    })
  )
})
