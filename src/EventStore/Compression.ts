/** How blocks of history and chunks of snapshots are stored: as they are, or compressed with zstd (RFC 8878), on other threads. */
import { constants, zstdCompress, zstdDecompress } from "node:zlib"
import { Effect } from "effect"

/** How bytes are stored. */
export type Codec = "plain" | "zstd"

/** The codecs by their numbers in files. */
export const codecs: ReadonlyArray<Codec> = ["plain", "zstd"]

/** Bytes as they are stored. */
export interface Stored {
  readonly stored: Uint8Array
  readonly codec: Codec
}

/** Bytes that are stored as they are. */
export const plain = (raw: Uint8Array): Stored => ({ stored: raw, codec: "plain" })

/** The level 1 takes a quarter of the time of the default, 3, for 1 % more bytes of a snapshot. */
const params = { params: { [constants.ZSTD_c_compressionLevel]: 1 } }

/** Compresses bytes, unless that makes them longer. */
export const compress = (raw: Uint8Array): Effect.Effect<Stored> =>
  Effect.callback((resume) => {
    zstdCompress(raw, params, (error, stored) => {
      resume(Effect.succeed(error === null && stored.length < raw.length ? { stored, codec: "zstd" } : plain(raw)))
    })
  })

/** The bytes that were stored; undefined if they are not `rawBytes` long, or were not compressed like this. */
export const decompress = ({ codec, stored }: Stored, rawBytes: number): Effect.Effect<Uint8Array | undefined> => {
  if (codec === "plain") return Effect.succeed(stored.length === rawBytes ? stored : undefined)
  return Effect.callback((resume) => {
    zstdDecompress(stored, { maxOutputLength: Math.max(1, rawBytes) }, (error, raw) =>
      resume(Effect.succeed(error === null && raw.length === rawBytes ? raw : undefined))
    )
  })
}
