/**
 * Damage of every kind to a small replicated log that peers can repair: the log is whole, its torn tail is cut, or it is
 * cut where the damage begins, with a durable note that it must be repaired, and with the term and the vote. Nothing else.
 * Raft/core/repair.test.ts repairs what is left. C26.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { checksum, viewOf } from "../../src/EventStore/Bytes.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { unmark } from "../../src/EventStore/RepairMark.ts"
import { SEGMENT_HEADER_BYTES } from "../../src/EventStore/Segment.ts"
import { decodeVote, encodeVote, later, VOTE_FILE_BYTES } from "../../src/EventStore/Votes.ts"
import * as Disk from "../../src/Testing/SimulatedDisk.ts"
import { isFull } from "../support/measure.ts"
import {
  after,
  BATCHES,
  type Contents,
  contentsOf,
  directory,
  diskOf,
  during,
  newestVote,
  on,
  opened,
  repairable,
  shownOf,
  written
} from "./repairedLog.ts"

const whole = after(BATCHES.length)
const prefixes = new Set(BATCHES.map((_, at) => after(at)))
const logFiles = (contents: Contents) =>
  [...contents.keys()].filter((path) => path.startsWith(`${directory}/log/`)).sort()
const voteFiles = (contents: Contents) => [...contents.keys()].filter((path) => path.endsWith(".vote")).sort()
const endOf = (bytes: Uint8Array) => bytes.findLastIndex((byte) => byte !== 0) + 1

const withFile = (contents: Contents, path: string, change: (bytes: Uint8Array) => Uint8Array): Contents =>
  new Map([...contents, [path, change(contents.get(path)!.slice())]])

const flipped = (contents: Contents, path: string, bit: number): Contents =>
  withFile(contents, path, (bytes) => {
    bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
    return bytes
  })

/**
 * The payloads are long, so that there are two segments: a bit of each of their bytes will do. `npm test` tries one bit of
 * eight outside of them, and of every eighth byte in them.
 */
const isTried = (bit: number): boolean => {
  const isPayload = bit >= 8 * (SEGMENT_HEADER_BYTES + 200)
  const byte = bit >> 3
  const isOneOfEight = bit % 8 === (isPayload && !isFull ? byte >> 3 : byte) % 8
  return isFull ? isOneOfEight || !isPayload : isOneOfEight && (!isPayload || byte % 8 === 0)
}

/** What is tried of all. */
const share = isFull ? 1 : 1 / 8

const kinds = ["whole", "torn", "repaired", "refused"] as const

/** Opens a damaged log, twice, and says what became of it. Fails on anything else. */
const outcomeOf = Effect.fnUntraced(function* (damaged: Contents, what: string) {
  const alone = diskOf(damaged)
  const refused = (yield* on(alone, during(opened))).exit
  const disk = diskOf(damaged)
  const first = yield* (yield* on(disk, during(opened, { repairable }))).exit
  const again = yield* (yield* on(disk, during(opened, { repairable }))).exit
  assert.deepStrictEqual(again, first, `${what}, opened again`)
  assert.strictEqual(first.isMarked, first.isRepairing, what)
  if (Exit.isFailure(refused)) {
    const unchanged = [...contentsOf(alone)].every(([path, bytes]) => Buffer.compare(bytes, damaged.get(path)!) === 0)
    assert.isTrue(unchanged, `${what}: the refused log has changed`)
    assert.isTrue(first.isRepairing, `${what}: a log that is refused alone is taken for whole`)
    assert.isTrue(prefixes.has(first.shown), `${what}: the log was never\n${first.shown}`)
    return "repaired"
  }
  assert.isFalse(first.isRepairing, `${what}: a log that opens alone is to be repaired`)
  if (first.shown === whole) return "whole"
  assert.strictEqual(first.shown, after(BATCHES.length - 1), what)
  return "torn"
})

const countsOf = () => Object.fromEntries(kinds.map((kind) => [kind, 0])) as Record<(typeof kinds)[number], number>

describe("a damaged replicated log", { timeout: 240_000 }, () => {
  for (const how of ["crashed", "stopped"] as const) {
    it.live(`that was ${how}: every flipped bit is harmless, a torn tail, or found and repaired from peers`, () =>
      Effect.gen(function* () {
        const contents = yield* written(how)
        const counts = countsOf()
        const paths = logFiles(contents)
        assert.isAbove(paths.length, 1)
        for (const path of paths) {
          const writtenBytes = endOf(contents.get(path)!)
          for (let bit = 0; bit < 8 * writtenBytes; bit++) {
            if (!isTried(bit)) continue
            counts[yield* outcomeOf(flipped(contents, path, bit), `bit ${bit} of ${path}`)]++
          }
        }
        assert.isAbove(counts.repaired, 1_000 * share)
        // Once a mark follows, no damage passes for a torn tail.
        if (how === "stopped") assert.strictEqual(counts.torn, 0)
        else assert.isAbove(counts.torn, 100 * share)
      })
    )

    it.live(`that was ${how}: every file cut at every byte, or missing, is found and repaired from peers`, () =>
      Effect.gen(function* () {
        const contents = yield* written(how)
        for (const path of logFiles(contents)) {
          for (let length = 0; length < contents.get(path)!.length; length++) {
            // Where nothing is written one length is like another.
            if (length > endOf(contents.get(path)!) + 8 && length % 500 !== 0) continue
            if (!isFull && length % 8 !== 0) continue
            const cut = withFile(contents, path, (bytes) => bytes.slice(0, length))
            assert.strictEqual(yield* outcomeOf(cut, `${path} cut at ${length}`), "repaired")
          }
          const missing = new Map([...contents].filter(([name]) => name !== path))
          assert.strictEqual(yield* outcomeOf(missing, `${path} is missing`), "repaired")
        }
        const none = new Map([...contents].filter(([name]) => !logFiles(contents).includes(name)))
        assert.strictEqual(yield* outcomeOf(none, "all segments are missing"), "repaired")
      })
    )
  }

  it.live("keeps its vote whichever bit of one of the two files of votes flips, and both are whole again", () =>
    Effect.gen(function* () {
      const contents = yield* written("stopped")
      const log = logFiles(contents)[0]!
      for (const path of voteFiles(contents)) {
        for (let bit = 0; bit < 8 * VOTE_FILE_BYTES; bit++) {
          // Most of it is zeros: one bit of each of their bytes will do.
          if (bit > 8 * 48 && bit < 8 * (VOTE_FILE_BYTES - 4) && bit % 8 !== (bit >> 3) % 8) continue
          const damaged = flipped(flipped(contents, path, bit), log, 8 * 300)
          const disk = diskOf(damaged)
          const found = yield* (yield* on(disk, during(opened, { repairable }))).exit
          assert.isTrue(found.isRepairing)
          assert.isTrue(found.shown.startsWith("2 b:8081"), `bit ${bit} of ${path}`)
          const left = contentsOf(disk)
          for (const each of voteFiles(left)) assert.deepStrictEqual(decodeVote(left.get(each)!), newestVote)
        }
      }
    })
  )

  it.effect("is refused, and stays as it is, if both files of votes are damaged: its vote is lost", () =>
    Effect.gen(function* () {
      const contents = yield* written("stopped")
      const [one, other] = voteFiles(contents) as [string, string]
      const votesLost = flipped(flipped(contents, one, 9), other, 700)
      const intact = yield* (yield* on(diskOf(votesLost), during(opened, { repairable }))).exit
      assert.deepStrictEqual(intact, { shown: whole, isRepairing: false, isMarked: false })
      const damaged = flipped(votesLost, logFiles(contents)[0]!, 8 * 300)
      const disk = diskOf(damaged)
      const error = yield* Effect.flip((yield* on(disk, during(opened, { repairable }))).exit)
      assert.strictEqual(error._tag, "LogCorrupt")
      assert.match(error.message, /so the node's vote is lost/)
      assert.deepStrictEqual(contentsOf(disk), damaged)
    })
  )

  it.effect("is refused, and stays as it is, if peers cannot give back what is lost", () =>
    Effect.gen(function* () {
      const contents = yield* written("stopped")
      const damaged = flipped(contents, logFiles(contents)[0]!, 8 * 300)
      const disk = diskOf(damaged)
      const asked: Array<number> = []
      const refusing = {
        ...repairable,
        refusal: ({ corrupt }: { readonly corrupt: { readonly index: number } }) =>
          Effect.sync(() => {
            asked.push(corrupt.index)
            return "nobody else votes"
          })
      }
      const error = yield* Effect.flip((yield* on(disk, during(opened, { repairable: refusing }))).exit)
      assert.match(error.message, /Peers cannot give it back: nobody else votes/)
      assert.strictEqual(asked.length, 1)
      assert.deepStrictEqual(contentsOf(disk), damaged)
    })
  )

  it.effect("of a later format is refused, and stays as it is: nothing of it is damaged", () =>
    Effect.gen(function* () {
      const contents = yield* written("stopped")
      const later = withFile(contents, logFiles(contents)[1]!, (bytes) => {
        viewOf(bytes).setUint32(8, 2, true)
        viewOf(bytes).setUint32(124, checksum(bytes.subarray(0, 124)), true)
        return bytes
      })
      const disk = diskOf(later)
      const error = yield* Effect.flip((yield* on(disk, during(opened, { repairable }))).exit)
      assert.match(error.message, /format version 2 is unknown here/)
      assert.deepStrictEqual(contentsOf(disk), later)
    })
  )
})

describe("the repair of a log", { timeout: 240_000 }, () => {
  for (const isPowerLost of [false, true]) {
    it.live(`goes on after ${isPowerLost ? "a loss of power" : "a kill"} within any call of its start`, () =>
      Effect.gen(function* () {
        const contents = yield* written("crashed")
        const paths = logFiles(contents)
        const places = [
          [paths[0]!, 8 * 40],
          [paths[0]!, 8 * 200],
          [paths[0]!, 8 * 3300],
          [paths[1]!, 8 * 40],
          [paths[1]!, 8 * 200]
        ] as const
        for (const [path, bit] of places) {
          const damaged = flipped(contents, path, bit)
          const { exit, process } = yield* on(diskOf(damaged), during(opened, { repairable }))
          const expected = yield* exit
          assert.isTrue(expected.isRepairing)
          const callsCount = process.callsCount()
          for (let killedAtCall = 1; killedAtCall <= callsCount; killedAtCall++) {
            const disk = diskOf(damaged, killedAtCall)
            yield* on(disk, during(opened, { repairable }), { killedAtCall })
            if (isPowerLost) Disk.losePower(disk)
            const found = yield* (yield* on(disk, during(opened, { repairable }))).exit
            // A crash may make more of the log be set aside, and never less.
            assert.isTrue(found.isRepairing && found.isMarked, `killed at call ${killedAtCall} of ${callsCount}`)
            assert.isTrue(prefixes.has(found.shown), found.shown)
          }
        }
      })
    )

    it.live(
      `is over, or not, after ${isPowerLost ? "a loss of power" : "a kill"} at its end, and its entries are there`,
      () =>
        Effect.gen(function* () {
          const contents = yield* written("crashed")
          const damaged = flipped(contents, logFiles(contents)[0]!, 8 * 200)
          const rest = BATCHES.flat().flatMap(({ entries }) => entries)
          const repairing = during(
            Effect.gen(function* () {
              const log = yield* LogStore
              const { hardState, lastIndex } = log.recovered
              const final = rest.filter(({ index, term }) => index <= 3 || term === 2)
              yield* log.append([{ hardState, entries: final.filter(({ index }) => index > lastIndex) }])
              yield* log.repaired
            }),
            { repairable }
          )
          const { exit, process } = yield* on(diskOf(damaged), repairing)
          yield* exit
          let endedCount = 0
          for (let killedAtCall = 1; killedAtCall <= process.callsCount(); killedAtCall++) {
            const disk = diskOf(damaged, killedAtCall)
            yield* on(disk, repairing, { killedAtCall })
            if (isPowerLost) Disk.losePower(disk)
            const found = yield* (yield* on(disk, during(opened, { repairable }))).exit
            if (found.isRepairing) continue
            endedCount++
            assert.strictEqual(found.shown, whole)
          }
          assert.isAbove(endedCount, 0)
          const disk = diskOf(damaged)
          yield* (yield* on(disk, repairing)).exit
          yield* (yield* on(disk, unmark(directory))).exit
          const found = yield* (yield* on(disk, during(opened))).exit
          assert.deepStrictEqual(found, { shown: whole, isRepairing: false, isMarked: false })
        })
    )

    it.live(
      `finds a vote that was acted on after ${isPowerLost ? "a loss of power" : "a kill"}, though the log is lost`,
      () =>
        Effect.gen(function* () {
          const contents = yield* written("stopped")
          const acted: Array<number> = []
          const voting = during(
            Effect.gen(function* () {
              const log = yield* LogStore
              for (const currentTerm of [3, 4, 5]) {
                yield* log.append([{ hardState: { currentTerm, votedFor: `c${currentTerm}` }, entries: [] }])
                acted.push(currentTerm)
              }
            })
          )
          const { process } = yield* on(diskOf(contents), voting)
          for (let killedAtCall = 1; killedAtCall <= process.callsCount(); killedAtCall++) {
            acted.length = 0
            const disk = diskOf(contents, killedAtCall)
            yield* on(disk, voting, { killedAtCall })
            if (isPowerLost) Disk.losePower(disk)
            const actedTerm = acted.at(-1) ?? 2
            const left = contentsOf(disk)
            const damaged = flipped(left, logFiles(left)[0]!, 8 * 40)
            const found = yield* (yield* on(diskOf(damaged), during(opened, { repairable }))).exit
            const term = Number(found.shown.split(" ")[0])
            assert.include([actedTerm, actedTerm + 1], term, `killed at call ${killedAtCall}`)
          }
        })
    )
  }
})

describe("a file of votes", () => {
  it("holds a term and a vote, or no vote", () => {
    for (const hardState of [newestVote, { currentTerm: 7, votedFor: undefined }]) {
      assert.deepStrictEqual(decodeVote(encodeVote(hardState)), hardState)
    }
    assert.isUndefined(decodeVote(new Uint8Array(VOTE_FILE_BYTES)))
    assert.isUndefined(decodeVote(encodeVote(newestVote).slice(1)))
  })

  it("gives way to a later term, and to the vote of its own", () => {
    const none = { currentTerm: 2, votedFor: undefined }
    const older = { currentTerm: 1, votedFor: "z" }
    for (const [one, other] of [
      [none, newestVote],
      [newestVote, none],
      [older, newestVote],
      [newestVote, undefined]
    ] as const) {
      assert.deepStrictEqual(later(one, other), newestVote)
    }
    assert.strictEqual(shownOf(none, []), "2 undefined")
  })
})
