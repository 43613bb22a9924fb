/** Damage of every kind to a small log: the state after some whole batch, or a refusal, and never anything else. */
import { mkdtempSync, readdirSync, readFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { layerFile } from "../../src/EventStore/FileLog.ts"
import type { HardState, LogEntry, LogWrite } from "../../src/EventStore/LogEntry.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import { decodeRecord } from "../../src/EventStore/Record.ts"
import { emptyRecovery, type Recovery, readSegment, refusalOfChain } from "../../src/EventStore/Recovery.ts"
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES } from "../../src/EventStore/Segment.ts"
import { entries, entry } from "./logStoreContract.ts"

const BATCHES: ReadonlyArray<ReadonlyArray<LogWrite>> = [
  [{ hardState: { currentTerm: 1, votedFor: "a:8081" }, entries: entries(1, 3) }],
  [{ entries: [entry(4, 1, "x".repeat(1500)), entry(5)] }],
  [{ entries: [entry(6, 1, "y".repeat(1500))] }],
  [{ truncateFromIndex: 5, hardState: { currentTerm: 2, votedFor: undefined }, entries: entries(5, 6, 2) }],
  [{ entries: [entry(7, 2, "z".repeat(200)), entry(8, 2)] }],
  [{ entries: [entry(9, 2), entry(10, 2, "w".repeat(900))] }]
]

/** The files of a log of all {@link BATCHES}: as a crash finds them, or as an orderly stop leaves them, with a mark. */
const written = Effect.fnUntraced(function* (how: "crashed" | "stopped") {
  const directory = mkdtempSync(join(tmpdir(), "lithair-damage-"))
  const files = () =>
    readdirSync(directory)
      .filter((name) => name.endsWith(".log"))
      .sort()
      .map((name) => new Uint8Array(readFileSync(join(directory, name))))
  const crashed = yield* Effect.gen(function* () {
    const log = yield* LogStore
    for (const batch of BATCHES) yield* log.append(batch)
    return files()
  }).pipe(Effect.provide(layerFile({ directory, segmentSizeBytes: 4096 })))
  return how === "crashed" ? crashed : files()
})

function contentOf(hardState: HardState, found: ReadonlyArray<LogEntry>): string {
  const lines = found.map(
    (one) => `${one.index} ${one.term} ${one.type} ${Buffer.from(one.payload).toString("latin1")}`
  )
  return [`${hardState.currentTerm} ${hardState.votedFor}`, ...lines].join("\n")
}

/** The content after each batch, the empty log first. */
function contents(): ReadonlyArray<string> {
  let hardState: HardState = { currentTerm: 0, votedFor: undefined }
  let held: ReadonlyArray<LogEntry> = []
  const after = [contentOf(hardState, held)]
  for (const batch of BATCHES) {
    for (const write of batch) {
      hardState = write.hardState ?? hardState
      held = [...held.slice(0, (write.truncateFromIndex ?? held.length + 1) - 1), ...write.entries]
    }
    after.push(contentOf(hardState, held))
  }
  return after
}

/** What the kept bytes of the segments say, read without the index that recovery has built. */
function replay(segments: ReadonlyArray<Uint8Array>, recovery: Recovery): string {
  const held: Array<LogEntry> = []
  let hardState: HardState = { currentTerm: 0, votedFor: undefined }
  const { last } = recovery
  for (const bytes of segments.slice(0, last?.header.number ?? 0)) {
    const header = decodeSegmentHeader(bytes)
    if (typeof header === "string") return header
    const endOffset = header.number === last?.header.number ? last.endOffset : bytes.length
    let offset = SEGMENT_HEADER_BYTES
    while (offset < endOffset) {
      const decoded = decodeRecord(bytes, offset, { salt: header.salt, offset })
      if (decoded._tag !== "Record") break
      const { body } = decoded.record
      if (body._tag === "Entry") held.push(body.entry)
      if (body._tag === "HardState") hardState = body.hardState
      if (body._tag === "TruncateFrom") held.length = body.fromIndex - 1
      offset += decoded.lengthBytes
    }
  }
  assert.deepStrictEqual(recovery.held.hardState, hardState)
  assert.strictEqual(recovery.held.lastIndex, held.length)
  return contentOf(hardState, held)
}

type Outcome = { readonly _tag: "Refused" } | { readonly _tag: "Opened"; readonly content: string }

function recover(segments: ReadonlyArray<Uint8Array>): Outcome {
  const recovery = emptyRecovery()
  for (const [position, bytes] of segments.entries()) {
    const read = readSegment(recovery, bytes, position === segments.length - 1)
    if (read._tag === "Corrupt") return { _tag: "Refused" }
  }
  if (refusalOfChain(recovery) !== undefined) return { _tag: "Refused" }
  return { _tag: "Opened", content: replay(segments, recovery) }
}

/** The outcome with one segment replaced. */
function recoverWith(segments: ReadonlyArray<Uint8Array>, position: number, bytes: Uint8Array): Outcome {
  return recover(segments.map((segment, at) => (at === position ? bytes : segment)))
}

/** Where the records of a segment end. */
function writtenBytes(segment: Uint8Array): number {
  return segment.findLastIndex((byte) => byte !== 0) + 1
}

// Each tries tens of thousands of damages: the bound is for a busy machine.
describe("recovery of a damaged log (FORMAT.md)", { timeout: 60_000 }, () => {
  it.effect("the undamaged log is the last state, in more than one segment", () =>
    Effect.gen(function* () {
      const segments = yield* written("crashed")
      assert.isAbove(segments.length, 1)
      assert.deepStrictEqual(recover(segments), { _tag: "Opened", content: contents().at(-1)! })
    })
  )

  it.effect("every flipped bit after a crash gives the state before or after the last batch, or a refusal", () =>
    Effect.gen(function* () {
      const segments = yield* written("crashed")
      const allowed = contents().slice(-2)
      const seen = new Set<string>()
      for (const [position, segment] of segments.entries()) {
        const bytes = segment.slice()
        for (let bit = 0; bit < writtenBytes(segment) * 8; bit++) {
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          const outcome = recoverWith(segments, position, bytes)
          bytes[bit >> 3]! ^= 1 << (bit & 7)
          const isAllowed = outcome._tag === "Refused" || allowed.includes(outcome.content)
          if (!isAllowed) assert.fail(`bit ${bit} of segment ${position + 1}: ${JSON.stringify(outcome)}`)
          if (outcome._tag === "Opened" && position < segments.length - 1) assert.fail(`bit ${bit} of a sealed segment`)
          seen.add(outcome._tag === "Opened" ? outcome.content : "refused")
        }
      }
      assert.deepStrictEqual(seen, new Set(["refused", allowed[0]!]))
    })
  )

  it.effect("every flipped bit at or below the last mark is refused, and every other one loses nothing", () =>
    Effect.gen(function* () {
      const segments = yield* written("stopped")
      const content = contents().at(-1)!
      const markBytes = 40
      for (const [position, segment] of segments.entries()) {
        const isLast = position === segments.length - 1
        // A record's last header byte may be zero: records end at multiples of eight.
        const markOffset = isLast ? Math.ceil(writtenBytes(segment) / 8) * 8 - markBytes : segment.length
        const bytes = segment.slice()
        for (let offset = 0; offset < segment.length; offset++) {
          // In the unwritten rest one bit of each byte stands for all.
          const bits = offset < writtenBytes(segment) ? 8 : 1
          for (let bit = 0; bit < bits; bit++) {
            bytes[offset]! ^= 1 << bit
            const outcome = recoverWith(segments, position, bytes)
            bytes[offset]! ^= 1 << bit
            const expected: Outcome = offset < markOffset ? { _tag: "Refused" } : { _tag: "Opened", content }
            if (JSON.stringify(outcome) !== JSON.stringify(expected)) {
              assert.fail(`bit ${bit} of byte ${offset} of segment ${position + 1}: ${outcome._tag}`)
            }
          }
        }
      }
    })
  )

  it.effect("a segment cut at any offset is refused, since its size was durable before its first record", () =>
    Effect.gen(function* () {
      const segments = yield* written("crashed")
      for (const [position, segment] of segments.entries()) {
        for (let length = 0; length < segment.length; length++) {
          const outcome = recoverWith(segments, position, segment.subarray(0, length))
          if (outcome._tag !== "Refused") assert.fail(`segment ${position + 1} cut at ${length}`)
        }
      }
    })
  )

  it.effect("a segment zeroed from any offset on gives the state after some whole batch, or a refusal", () =>
    Effect.gen(function* () {
      const segments = yield* written("crashed")
      const allowed = contents()
      const seen = new Set<string>()
      for (const [position, segment] of segments.entries()) {
        for (let offset = 0; offset < writtenBytes(segment); offset++) {
          const outcome = recoverWith(segments, position, segment.slice().fill(0, offset))
          if (outcome._tag === "Refused") continue
          // Zeros in a sealed segment are a hole, which the segment after it proves.
          if (position < segments.length - 1) assert.fail(`segment ${position + 1} zeroed from ${offset}`)
          if (!allowed.includes(outcome.content)) assert.fail(`segment ${position + 1} zeroed from ${offset}`)
          seen.add(outcome.content)
        }
      }
      assert.isAbove(seen.size, 1)
    })
  )

  it.effect("any set of lost blocks of the last batch is a torn tail: the state before it", () =>
    Effect.gen(function* () {
      const segments = yield* written("crashed")
      const last = segments.at(-1)!
      const end = writtenBytes(last)
      const blockBytes = 256
      // The last batch holds more than 900 bytes: its last three blocks are wholly its own.
      const from = end - 3 * blockBytes
      for (let lost = 1; lost < 8; lost++) {
        const bytes = last.slice()
        for (let block = 0; block < 3; block++) {
          const offset = from + block * blockBytes
          if ((lost & (1 << block)) !== 0) bytes.fill(0, offset, offset + blockBytes)
        }
        const outcome = recoverWith(segments, segments.length - 1, bytes)
        assert.deepStrictEqual(outcome, { _tag: "Opened", content: contents().at(-2)! })
      }
    })
  )

  it.effect("a missing or swapped segment is refused", () =>
    Effect.gen(function* () {
      const segments = yield* written("crashed")
      for (let missing = 0; missing < segments.length; missing++) {
        const outcome = recover(segments.filter((_, position) => position !== missing))
        assert.strictEqual(outcome._tag, "Refused", `without segment ${missing + 1}`)
      }
      assert.strictEqual(recover([...segments].reverse())._tag, "Refused")
      const foreign = yield* written("stopped")
      assert.strictEqual(recoverWith(segments, 0, foreign[0]!)._tag, "Refused")
    })
  )

  it.effect("a payload that holds the bytes of a record does not pass for one", () =>
    Effect.gen(function* () {
      const segments = yield* written("crashed")
      const last = segments.at(-1)!
      // A later batch's record, copied to where a torn tail is looked through, proves nothing: its offset is summed.
      const bytes = last.slice()
      const end = Math.ceil(writtenBytes(last) / 8) * 8
      bytes.copyWithin(end + 64, SEGMENT_HEADER_BYTES, end)
      bytes[end - 1]! ^= 1
      assert.deepStrictEqual(recoverWith(segments, segments.length - 1, bytes), {
        _tag: "Opened",
        content: contents().at(-2)!
      })
    })
  )
})
