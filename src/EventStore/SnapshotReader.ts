/** Reads a snapshot piece by piece, in bounded memory: verifies it, or gives its content. The bytes are SnapshotFormat.ts. */
import { Effect, Stream } from "effect"
import { decompress } from "./Compression.ts"
import type { ReadAt } from "./NamedFiles.ts"
import {
  beginScan,
  type Scanned,
  SNAPSHOT_CHUNK_BYTES,
  type SnapshotInfo,
  type SnapshotScan,
  scanNext
} from "./SnapshotFormat.ts"
import { SnapshotDamaged } from "./SnapshotStore.ts"

/** A little more than a chunk of this version, so that one read brings one. */
const READ_BYTES = SNAPSHOT_CHUNK_BYTES + 4096

/** Whole and intact, or what is wrong at `offset`, before which all pieces are intact. */
export type Verdict =
  | { readonly _tag: "Intact"; readonly info: SnapshotInfo }
  | { readonly _tag: "Damaged"; readonly offset: number; readonly what: string }

type Piece = Exclude<Scanned, { readonly _tag: "Short" }>

const cut: Piece = { _tag: "Damaged", what: "the file ends here" }

/** The piece at the scan's offset. */
const next = Effect.fnUntraced(function* (scan: SnapshotScan, readAt: ReadAt) {
  const bytes = yield* readAt({ offset: scan.offset, lengthBytes: READ_BYTES })
  const scanned = scanNext(scan, bytes)
  if (scanned._tag !== "Short") return scanned
  // So many bytes hold every length: what it asks for now is all of the piece.
  if (bytes.length < READ_BYTES) return cut
  const whole = scanNext(scan, yield* readAt({ offset: scan.offset, lengthBytes: scanned.neededBytes }))
  return whole._tag === "Short" ? cut : whole
})

/** Reads all of it. */
export const verify = Effect.fnUntraced(function* (readAt: ReadAt) {
  const scan = beginScan()
  const damaged = (what: string): Verdict => ({ _tag: "Damaged", offset: scan.offset, what })
  for (;;) {
    const piece = yield* next(scan, readAt)
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
  Stream.suspend(() =>
    Stream.unfold(
      beginScan({ isVerified: true }),
      Effect.fnUntraced(function* (scan) {
        for (;;) {
          const { offset } = scan
          const damaged = (what: string) => {
            const message = `Cannot read snapshot "${file}" at offset ${offset}: ${what}`
            return new SnapshotDamaged({ message, file, offset })
          }
          const piece = yield* next(scan, readAt)
          if (piece._tag === "End") return undefined
          if (piece._tag === "Damaged") return yield* damaged(piece.what)
          if (piece._tag !== "Content") continue
          const raw = yield* decompress(piece, piece.rawBytes)
          if (raw === undefined) return yield* damaged("its content does not decompress")
          return [raw, scan] as const
        }
      })
    )
  )
