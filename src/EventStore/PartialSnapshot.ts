/** A snapshot that comes in chunks, resumable and atomic (C13): a file of its own until it is verified whole. */
import { Effect, Semaphore } from "effect"
import type { NamedFiles } from "./NamedFiles.ts"
import { type SnapshotInfo, snapshotName } from "./SnapshotFormat.ts"
import { verify } from "./SnapshotReader.ts"
import { type Receiving, SnapshotDamaged, type SnapshotOffer } from "./SnapshotStore.ts"

const PART = ".part"

/** The digest is part of the name, so that only the very same snapshot goes on where this one stopped. */
const partName = (offer: SnapshotOffer) => `${snapshotName(offer)}.${offer.digest}${PART}`

export const isPart = (name: string) => name.endsWith(PART)

/** What is offered is here already: a leader that did not hear of it asks again. */
export const received = (offer: SnapshotOffer, info: SnapshotInfo): Receiving => ({
  offer,
  receivedBytes: () => info.fileBytes,
  append: () => Effect.succeed(info.fileBytes),
  finish: Effect.succeed(info),
  abort: Effect.void
})

/** Begins, or goes on with what a stop left of the same offer; the parts of others are thrown away. */
export const receive = Effect.fnUntraced(function* (
  files: NamedFiles,
  offer: SnapshotOffer,
  publish: (from: string, info: SnapshotInfo) => ReturnType<NamedFiles["rename"]>
) {
  const name = partName(offer)
  const names = yield* files.names
  for (const other of names) if (isPart(other) && other !== name) yield* files.remove(other)
  const turn = yield* Semaphore.make(1)
  let isOver = false

  const damaged = (offset: number, what: string) => {
    const message = `Cannot receive snapshot "${name}" at offset ${offset}: ${what}`
    return new SnapshotDamaged({ message, file: name, offset })
  }
  const exclusively = <A, E>(work: Effect.Effect<A, E>) =>
    turn.withPermits(1)(
      Effect.uninterruptible(
        Effect.suspend(
          (): Effect.Effect<A, E | SnapshotDamaged> =>
            isOver ? Effect.fail(damaged(receivedBytes, "it was finished or given up")) : work
        )
      )
    )
  const remove = Effect.suspend(() => {
    isOver = true
    return files.remove(name)
  })

  // A crash may have lost any bytes of the part, since it is synced only at its end: what is intact is kept.
  let receivedBytes = 0
  if (names.includes(name)) {
    const verdict = yield* Effect.scoped(Effect.flatMap(files.openToRead(name), verify))
    receivedBytes = verdict._tag === "Intact" ? verdict.info.fileBytes : verdict.offset
  }
  yield* Effect.scoped(Effect.flatMap(files.openToWrite(name), (file) => file.truncate(receivedBytes)))

  const receiving: Receiving = {
    offer,
    receivedBytes: () => receivedBytes,
    append: ({ bytes, offset }) =>
      exclusively(
        Effect.gen(function* () {
          if (offset !== receivedBytes || bytes.length === 0) return receivedBytes
          if (offset + bytes.length > offer.fileBytes) {
            return yield* damaged(offset, `${bytes.length} bytes reach past the ${offer.fileBytes} that were offered`)
          }
          yield* Effect.scoped(Effect.flatMap(files.openToWrite(name), (file) => file.write(bytes, offset)))
          receivedBytes += bytes.length
          return receivedBytes
        })
      ),
    finish: exclusively(
      Effect.gen(function* () {
        if (receivedBytes < offer.fileBytes) {
          return yield* damaged(receivedBytes, `it has ${receivedBytes} of ${offer.fileBytes} bytes`)
        }
        yield* Effect.scoped(Effect.flatMap(files.openToWrite(name), (file) => file.sync)).pipe(
          // What a failed sync did not write counts as clean from then on: no later sync would write it.
          Effect.onError(() => Effect.ignore(remove))
        )
        const found = yield* Effect.scoped(Effect.flatMap(files.openToRead(name), verify))
        const isOffered =
          found._tag === "Intact" &&
          found.info.digest === offer.digest &&
          found.info.index === offer.index &&
          found.info.term === offer.term
        if (!isOffered) {
          yield* remove
          return yield* damaged(
            found._tag === "Intact" ? 0 : found.offset,
            found._tag === "Intact" ? "it is another snapshot than the one that was offered" : found.what
          )
        }
        yield* publish(name, found.info)
        isOver = true
        return found.info
      })
    ),
    abort: Effect.catchTag(exclusively(remove), "SnapshotDamaged", () => Effect.void)
  }
  /** Another offer has taken its place: nothing more may be written, since the files are then of the other. */
  const giveUp = turn.withPermits(1)(
    Effect.sync(() => {
      isOver = true
    })
  )
  return { receiving, giveUp }
})
