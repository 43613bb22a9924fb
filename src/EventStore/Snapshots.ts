/** The snapshots of a node in a directory, or in memory: temporary file, sync, rename; the last two are kept. Raft §7. */
import { Effect, Layer, Semaphore } from "effect"
import { compress, plain } from "./Compression.ts"
import { makeDirectory } from "./Files.ts"
import type { LogFailed } from "./LogStore.ts"
import { filesIn, filesInMemory, type NamedFiles } from "./NamedFiles.ts"
import { rests, SYNCED_AT_ONCE_BYTES } from "./Pace.ts"
import { receive, received } from "./PartialSnapshot.ts"
import {
  makeEncoder,
  parseSnapshotName,
  SNAPSHOT_CHUNK_BYTES,
  type SnapshotContent,
  type SnapshotInfo,
  type SnapshotMetadata,
  snapshotName
} from "./SnapshotFormat.ts"
import { content, verify } from "./SnapshotReader.ts"
import { type OpenSnapshot, SnapshotStore } from "./SnapshotStore.ts"
import { missingName, watch } from "./Watch.ts"

const KEPT_COUNT = 2
const TEMPORARY = ".tmp"
const ASIDE = ".damaged"

/** The same bytes in pieces of one size, the last one shorter. */
export function* rechunk(pieces: Iterable<Uint8Array>, sizeBytes: number): Generator<Uint8Array> {
  let chunk = new Uint8Array(sizeBytes)
  let filled = 0
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + sizeBytes - filled)
      chunk.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < sizeBytes) continue
      yield chunk
      chunk = new Uint8Array(sizeBytes)
      filled = 0
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled)
}

/** With `compresses` it compresses snapshots that may be, on other threads. */
const make = Effect.fnUntraced(function* (files: NamedFiles, { compresses }: { readonly compresses: boolean }) {
  const writing = yield* Semaphore.make(1)
  /** One at a time changes which snapshots there are, or looks for the newest. */
  const keeping = yield* Semaphore.make(1)
  const receivingTurn = yield* Semaphore.make(1)
  /** Names and digests that this process has written or verified: a snapshot is read whole once, not for every peer. */
  const verified = new Map<string, SnapshotInfo>()
  let giveUpReceiving: Effect.Effect<void> = Effect.void

  for (const name of yield* files.names) {
    // Half a snapshot has promised nobody anything, and may be large.
    if (name.endsWith(TEMPORARY)) yield* files.remove(name)
  }

  const list = Effect.map(files.names, (names) =>
    names
      .flatMap((name) => parseSnapshotName(name) ?? [])
      .sort((left, right) => right.index - left.index || right.term - left.term)
  )

  /** Older ones than those kept; damaged ones that were set aside go with them. */
  const prune = Effect.gen(function* () {
    const kept = (yield* list).slice(0, KEPT_COUNT).map(snapshotName)
    const oldest = kept.at(-1)
    for (const name of yield* files.names) {
      const isOurs = parseSnapshotName(name.replace(ASIDE, "")) !== undefined
      if (!isOurs || oldest === undefined || name >= oldest) continue
      verified.delete(name)
      yield* files.remove(name)
    }
  }).pipe(
    // What is not removed now takes room until the next snapshot, no more.
    Effect.catchTag("LogFailed", (failure) => Effect.logWarning(`Cannot remove an old snapshot: ${failure.message}`))
  )

  const publish = (from: string, info: SnapshotInfo) =>
    Effect.gen(function* () {
      const name = snapshotName(info)
      yield* files.rename({ from, to: name })
      verified.set(name, info)
      yield* prune
    }).pipe(Effect.uninterruptible, keeping.withPermits(1))

  const writeTemporary = Effect.fnUntraced(function* (
    name: string,
    { content, isCompressed = false, ...metadata }: SnapshotMetadata & SnapshotContent
  ) {
    const file = yield* files.openToWrite(name)
    yield* file.truncate(0)
    const encoder = makeEncoder(metadata, isCompressed ? 2 : 1)
    let offset = 0
    let unsyncedBytes = 0
    const put = Effect.fnUntraced(function* (bytes: Uint8Array) {
      yield* file.write(bytes, offset)
      offset += bytes.length
      unsyncedBytes += bytes.length
      if (unsyncedBytes < SYNCED_AT_ONCE_BYTES) return
      yield* file.sync
      unsyncedBytes = 0
    })
    yield* put(encoder.header)
    const rest = yield* rests
    for (const chunk of rechunk(content, SNAPSHOT_CHUNK_BYTES)) {
      yield* put(encoder.chunk(chunk, isCompressed && compresses ? yield* compress(chunk) : plain(chunk)))
      yield* rest
    }
    const { info, trailer } = encoder.end()
    yield* put(trailer)
    yield* file.sync
    return info
  }, Effect.scoped)

  const write = (snapshot: SnapshotMetadata & SnapshotContent) =>
    writing.withPermits(1)(
      Effect.gen(function* () {
        const temporary = `${snapshotName(snapshot)}${TEMPORARY}`
        const info = yield* writeTemporary(temporary, snapshot).pipe(
          // The failure is what the caller hears of; a file that stays is removed by the next start.
          Effect.onError(() => Effect.ignore(files.remove(temporary)))
        )
        yield* publish(temporary, info)
        return info
      })
    )

  const setAside = Effect.fnUntraced(function* (
    name: string,
    damage: { readonly offset: number; readonly what: string }
  ) {
    verified.delete(name)
    yield* files.rename({ from: name, to: `${name}${ASIDE}` })
    yield* Effect.logWarning(`Set aside snapshot "${name}": ${damage.what} at offset ${damage.offset}`)
  })

  /** The snapshot of that name, if it is intact. */
  const openIntact = Effect.fnUntraced(function* (name: string) {
    const readAt = yield* files.openToRead(name)
    const known = verified.get(name)
    const verdict = known === undefined ? yield* verify(readAt) : ({ _tag: "Intact", info: known } as const)
    if (verdict._tag === "Damaged") return verdict
    if (snapshotName(verdict.info) !== name)
      return { _tag: "Damaged", offset: 0, what: "it is another than its name" } as const
    verified.set(name, verdict.info)
    const opened: OpenSnapshot = { info: verdict.info, read: readAt, content: content(name, readAt) }
    return { _tag: "Opened", opened } as const
  })

  /** Whether a snapshot of that name is here, and intact; it is not removed while that is read. */
  const held = Effect.fnUntraced(function* (name: string) {
    return (yield* files.names).includes(name) ? yield* Effect.scoped(openIntact(name)) : undefined
  }, keeping.withPermits(1))

  const openNewest = Effect.fnUntraced(function* ({
    atLeastIndex = 0,
    atMostIndex = Number.POSITIVE_INFINITY
  }: {
    readonly atLeastIndex?: number
    readonly atMostIndex?: number
  } = {}) {
    for (const { index, term } of yield* list) {
      if (index < atLeastIndex) return undefined
      if (index > atMostIndex) continue
      const name = snapshotName({ index, term })
      const found = yield* openIntact(name)
      if (found._tag === "Opened") return found.opened
      yield* setAside(name, found)
    }
    return undefined
  }, keeping.withPermits(1))

  const removeBelow = Effect.fnUntraced(function* (index: number) {
    for (const name of yield* files.names) {
      const [whole = ""] = /^.*?\.snapshot/.exec(name) ?? []
      const info = parseSnapshotName(whole)
      if (info === undefined || info.index >= index) continue
      verified.delete(name)
      yield* files.remove(name)
    }
  }, keeping.withPermits(1))

  return SnapshotStore.of({
    list,
    openNewest,
    write,
    removeBelow,
    receive: (offer) =>
      receivingTurn.withPermits(1)(
        Effect.gen(function* () {
          yield* giveUpReceiving
          const whole = yield* held(snapshotName(offer))
          if (whole?._tag === "Opened" && whole.opened.info.digest === offer.digest) {
            yield* files.syncNames
            return received(offer, whole.opened.info)
          }
          const begun = yield* receive(files, offer, publish)
          giveUpReceiving = begun.giveUp
          return begun.receiving
        })
      ),
    watch: watch(
      Effect.map(
        missingName(() => [...verified.keys()], files.names),
        (name) => (name === undefined ? undefined : `the snapshot "${name}" is missing`)
      )
    )
  })
})

/** In `directory`, which is made when it is missing; at most one store at a time works on it. */
export const layerFile = (options: { readonly directory: string }): Layer.Layer<SnapshotStore, LogFailed> =>
  Layer.effect(
    SnapshotStore,
    Effect.andThen(makeDirectory(options.directory), make(filesIn(options.directory), { compresses: true }))
  )

/** In `files`, which outlive the layer, as plain bytes. */
export const layerOf = (files: NamedFiles): Layer.Layer<SnapshotStore, LogFailed> =>
  Layer.effect(SnapshotStore, make(files, { compresses: false }))

/** In memory, for tests and simulations. It forgets when its scope closes. */
export const layerMemory: Layer.Layer<SnapshotStore> = Layer.orDie(
  Layer.unwrap(Effect.sync(() => layerOf(filesInMemory())))
)
