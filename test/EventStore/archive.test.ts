/** The bytes of an archive: what was put in comes out, and every flipped bit and every cut is found. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import {
  type ArchivePiece,
  beginArchiveScan,
  makeArchiveEncoder,
  scanArchive
} from "../../src/EventStore/ArchiveFormat.ts"
import type { LogEntry } from "../../src/EventStore/LogEntry.ts"

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)
const entries: ReadonlyArray<LogEntry> = [
  { index: 7, term: 2, type: "noop", payload: new Uint8Array(0) },
  { index: 8, term: 2, type: "transaction", payload: utf8("hello") },
  { index: 9, term: 3, type: "configuration", payload: utf8("abc") }
]

const archive = (): Uint8Array => {
  const encoder = makeArchiveEncoder()
  return Buffer.concat([
    encoder.begin(utf8("{}")),
    encoder.snapshot(utf8("some rows")),
    encoder.snapshot(utf8("more")),
    encoder.entries(entries.slice(0, 1)),
    encoder.entries(entries.slice(1)),
    encoder.end()
  ])
}

/** All pieces, or what is wrong. */
const read = (bytes: Uint8Array): ReadonlyArray<ArchivePiece> | string => {
  const scan = beginArchiveScan()
  const pieces: Array<ArchivePiece> = []
  for (;;) {
    const piece = scanArchive(scan, bytes.subarray(scan.offset))
    if (piece._tag === "Damaged") return piece.what
    if (piece._tag === "Short") return "it ends here"
    pieces.push(piece)
    if (piece._tag === "End") return piece.fileBytes === bytes.length ? pieces : "bytes follow the end"
  }
}

describe("an archive", () => {
  it("gives back what was put in", () => {
    const pieces = read(archive())
    assert.isArray(pieces)
    assert.deepStrictEqual(
      (pieces as ReadonlyArray<ArchivePiece>).map(({ _tag }) => _tag),
      ["Manifest", "Snapshot", "Snapshot", "Entries", "Entries", "End"]
    )
    const found = (pieces as ReadonlyArray<ArchivePiece>).flatMap((piece) =>
      piece._tag === "Entries" ? piece.entries : []
    )
    assert.deepStrictEqual(
      found.map((entry) => ({ ...entry, payload: Buffer.from(entry.payload).toString() })),
      entries.map((entry) => ({ ...entry, payload: Buffer.from(entry.payload).toString() }))
    )
  })

  it("is refused with any bit flipped", () => {
    const whole = archive()
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const flipped = whole.slice()
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      assert.isString(read(flipped), `bit ${bit} of ${whole.length * 8}`)
    }
  })

  it("is refused when it is cut at any byte, or goes on behind its end", () => {
    const whole = archive()
    for (let length = 0; length < whole.length; length++) assert.isString(read(whole.subarray(0, length)))
    assert.strictEqual(read(Buffer.concat([whole, new Uint8Array(1)])), "bytes follow the end")
  })

  it("is refused when intact frames are left out, swapped or taken from another one", () => {
    const encoder = makeArchiveEncoder()
    const begin = encoder.begin(utf8("{}"))
    const [one, two] = [encoder.snapshot(utf8("one!")), encoder.snapshot(utf8("two!"))]
    const end = encoder.end()
    assert.isArray(read(Buffer.concat([begin, one, two, end])))
    for (const frames of [[one], [two], [two, one], [one, one], []]) {
      assert.isString(read(Buffer.concat([begin, ...frames, end])))
    }
    const other = makeArchiveEncoder()
    const foreign = Buffer.concat([other.begin(utf8("{}")), other.snapshot(utf8("ONE!"))]).subarray(begin.length)
    // Its checksum and its place are right: only the digest of the whole tells.
    assert.strictEqual(read(Buffer.concat([begin, foreign, two, end])), "digest differs")
  })

  it("has the bytes that FORMAT.md shows", () => {
    const document = readFileSync(new URL("../../src/EventStore/FORMAT.md", import.meta.url), "utf8")
    const lines = document.split("```hex archive\n")[1]!.split("```")[0]!.trim().split("\n")
    const hex = lines.map((line) => line.slice(6).replaceAll(" ", "")).join("")
    const encoder = makeArchiveEncoder()
    const bytes = Buffer.concat([
      encoder.begin(utf8("{}")),
      encoder.snapshot(utf8("abc")),
      encoder.entries(entries.slice(1, 2)),
      encoder.end()
    ])
    assert.strictEqual(bytes.toString("hex"), hex)
  })
})
