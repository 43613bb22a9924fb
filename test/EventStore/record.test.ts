import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { viewOf } from "../../src/EventStore/Bytes.ts"
import { decodeRecord, encodeRecord, type Record, type RecordBody, recordBytes } from "../../src/EventStore/Record.ts"
import { decodeSegmentHeader, encodeSegmentHeader, SEGMENT_HEADER_BYTES } from "../../src/EventStore/Segment.ts"

const SALT = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])
const MAX = Number.MAX_SAFE_INTEGER

const BODIES: ReadonlyArray<RecordBody> = [
  { _tag: "Entry", entry: { index: 1, term: 1, type: "noop", payload: new Uint8Array(0) } },
  { _tag: "Entry", entry: { index: MAX, term: MAX, type: "transaction", payload: new Uint8Array(9).fill(255) } },
  { _tag: "Entry", entry: { index: 2 ** 32, term: 7, type: "configuration", payload: new Uint8Array(8) } },
  { _tag: "HardState", hardState: { currentTerm: 0, votedFor: undefined } },
  { _tag: "HardState", hardState: { currentTerm: 3, votedFor: "" } },
  { _tag: "HardState", hardState: { currentTerm: MAX, votedFor: "knoten-ü:8081" } },
  { _tag: "TruncateFrom", fromIndex: 5 },
  { _tag: "SnapshotMark", mark: { index: 7, term: 3 }, restarts: false, firstSegment: 1 },
  { _tag: "SnapshotMark", mark: { index: MAX, term: MAX }, restarts: true, firstSegment: MAX },
  { _tag: "DurableThrough", batch: 9 },
  { _tag: "Seal", lastIndex: 0 }
]

function encoded(record: Record, at: number): Uint8Array {
  const target = new Uint8Array(512).fill(170)
  const length = encodeRecord(record, {
    target: { bytes: target, view: viewOf(target) },
    at,
    place: { salt: SALT, offset: at }
  })
  assert.strictEqual(length % 8, 0)
  assert.deepStrictEqual(
    target.subarray(at + length).every((byte) => byte === 170),
    true
  )
  return target
}

describe("a record (FORMAT.md)", () => {
  for (const body of BODIES) {
    it(`of ${body._tag} is decoded as it was encoded: ${JSON.stringify(body)}`, () => {
      for (const endsBatch of [true, false]) {
        const record = { batch: 4, endsBatch, body }
        const decoded = decodeRecord(encoded(record, 128), 128, { salt: SALT, offset: 128 })
        assert.strictEqual(decoded._tag, "Record")
        if (decoded._tag === "Record") assert.deepStrictEqual(decoded.record, record)
      }
    })
  }

  it("is damaged at another offset, and in a segment with another salt", () => {
    const bytes = encoded({ batch: 1, endsBatch: true, body: BODIES[1]! }, 128)
    const other = SALT.map((byte) => byte ^ 1)
    assert.strictEqual(decodeRecord(bytes, 128, { salt: SALT, offset: 136 })._tag, "Damaged")
    assert.strictEqual(decodeRecord(bytes, 128, { salt: other, offset: 128 })._tag, "Damaged")
  })

  it("is damaged when it is cut anywhere", () => {
    const bytes = encoded({ batch: 1, endsBatch: true, body: BODIES[1]! }, 0)
    for (let length = 0; length < recordBytes(9); length++) {
      assert.strictEqual(decodeRecord(bytes.subarray(0, length), 0, { salt: SALT, offset: 0 })._tag, "Damaged")
    }
  })
})

describe("a segment's header (FORMAT.md)", () => {
  it("is decoded as it was encoded", () => {
    for (const clusterId of [undefined, "0197a5f2-7c1e-7000-8000-000000000000", "c".repeat(56)]) {
      const header = {
        number: 7,
        baseIndex: 2 ** 40,
        sizeBytes: 4096,
        previousChecksum: 2 ** 32 - 1,
        salt: SALT,
        clusterId,
        baseTerm: 2 ** 33
      }
      const file = new Uint8Array(4096)
      file.set(encodeSegmentHeader(header))
      assert.deepStrictEqual(decodeSegmentHeader(file), header)
      // A log holds it for as long as it is open: it must not hold the bytes of the segment too.
      const decoded = decodeSegmentHeader(Buffer.from(file))
      assert.isTrue(typeof decoded === "object" && decoded.salt.buffer.byteLength === 8)
    }
  })

  it("the code writes the worked example of FORMAT.md", () => {
    const document = readFileSync(new URL("../../src/EventStore/FORMAT.md", import.meta.url), "utf8")
    const lines = document.split("```hex\n")[1]!.split("```")[0]!.trim().split("\n")
    const hex = lines.map((line) => line.slice(6).replaceAll(" ", "")).join("")
    const target = new Uint8Array(224)
    const header = {
      number: 1,
      baseIndex: 1,
      sizeBytes: 4096,
      previousChecksum: 0,
      salt: SALT,
      clusterId: undefined,
      baseTerm: 0
    }
    target.set(encodeSegmentHeader(header))
    const hardState: RecordBody = { _tag: "HardState", hardState: { currentTerm: 1, votedFor: "a" } }
    const payload = new TextEncoder().encode("hello")
    const entry: RecordBody = { _tag: "Entry", entry: { index: 1, term: 1, type: "transaction", payload } }
    let at = SEGMENT_HEADER_BYTES
    for (const body of [hardState, entry]) {
      const record = { batch: 1, endsBatch: body === entry, body }
      at += encodeRecord(record, {
        target: { bytes: target, view: viewOf(target) },
        at,
        place: { salt: SALT, offset: at }
      })
    }
    assert.strictEqual(Buffer.from(target).toString("hex"), hex)
  })
})
