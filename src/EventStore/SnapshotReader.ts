/** Reads a snapshot piece by piece, in bounded memory: verifies it, or gives its content. The bytes are SnapshotFormat.ts. */
import { Effect, Stream } from "effect"
import { decompressHere } from "./Compression.ts"
import type { ReadAt } from "./NamedFiles.ts"
import { beginScan, type Scanned, type SnapshotInfo, type SnapshotScan, scanNext } from "./SnapshotFormat.ts"
import { SnapshotDamaged } from "./SnapshotStore.ts"

/** One read brings some dozens of compressed chunks. Each read waits for another thread. */
const READ_BYTES = 512 * 1024

/** Whole and intact, or what is wrong at `offset`, before which all pieces are intact. */
export type Verdict =
  | { readonly _tag: "Intact"; readonly info: SnapshotInfo }
  | { readonly _tag: "Damaged"; readonly offset: number; readonly what: string }

type Piece = Exclude<Scanned, { readonly _tag: "Short" }>

const cut: Piece = { _tag: "Damaged", what: "the file ends here" }

/** Gives one piece after another, each at the scan's offset. */
const piecesOf = (scan: SnapshotScan, readAt: ReadAt) => {
  let bytes: Uint8Array = new Uint8Array(0)
  /** Where the bytes are in the file. */
  let bytesOffset = 0
  return Effect.fnUntraced(function* () {
    for (;;) {
      const scanned = scanNext(scan, bytes.subarray(scan.offset - bytesOffset))
      if (scanned._tag !== "Short") return scanned
      const { neededBytes } = scanned
      bytes = yield* readAt({ offset: scan.offset, lengthBytes: Math.max(READ_BYTES, neededBytes) })
      bytesOffset = scan.offset
      // So the next scan gives the piece, or it asks for more, since it knows the length by then.
      if (bytes.length < neededBytes) return cut
    }
  })
}

/** Reads all of it. */
export const verify = Effect.fnUntraced(function* (readAt: ReadAt) {
  const scan = beginScan()
  const next = piecesOf(scan, readAt)
  const damaged = (what: string): Verdict => ({ _tag: "Damaged", offset: scan.offset, what })
  for (;;) {
    const piece = yield* next()
    if (piece._tag === "Damaged") return damaged(piece.what)
    if (piece._tag !== "End") continue
    const rest = yield* readAt({ offset: piece.info.fileBytes, lengthBytes: 1 })
    return rest.length === 0
      ? ({ _tag: "Intact", info: piece.info } satisfies Verdict)
      : damaged("bytes follow the end")
  }
})

/**
 * The content of a snapshot that was verified, in order. It fails where a piece is damaged all the same: what was given
 * before is of no use then.
 */
export const content = (file: string, readAt: ReadAt) =>
  Stream.suspend(() => {
    const scan = beginScan({ isVerified: true })
    const next = piecesOf(scan, readAt)
    return Stream.unfold(
      undefined,
      Effect.fnUntraced(function* () {
        for (;;) {
          const { offset } = scan
          const damaged = (what: string) => {
            const message = `Cannot read snapshot "${file}" at offset ${offset}: ${what}`
            return new SnapshotDamaged({ message, file, offset })
          }
          const piece = yield* next()
          if (piece._tag === "End") return undefined
          if (piece._tag === "Damaged") return yield* damaged(piece.what)
          if (piece._tag !== "Content") continue
          const raw = decompressHere(piece, piece.rawBytes)
          if (raw === undefined) return yield* damaged("its content does not decompress")
          return [raw, undefined] as const
        }
      })
    )
  })
