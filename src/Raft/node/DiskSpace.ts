/**
 * A disk on which the log has no room for its next segment: the node takes no more writes of clients, and hands over
 * what it leads, so that a node with room leads. What room is left is for the entries of others. It goes on by itself
 * once there is room again. docs/raft.md, "Disk".
 */
import { Effect, Stream } from "effect"
import { LogSpace } from "../../EventStore/LogSpace.ts"
import { NotDone } from "./Outcome.ts"

/** What a node without room says of every write, whoever leads. */
export const storageFull = new NotDone({
  reason: "storage-full",
  message: "Cannot write: the disk of this node is nearly full"
})

/** Where no node has room, leadership goes round no faster than this. */
const handOverEveryMs = 10_000

export interface RoomWatch {
  readonly isShort: () => boolean
  /** Hands over, if this node leads without room and has not tried just now. */
  readonly consider: () => void
  /** Follows the room of the log until it is interrupted. */
  readonly follow: Effect.Effect<void>
}

export const make = Effect.fnUntraced(function* (options: {
  readonly isLeader: () => boolean
  /** On the clock of the ticks. */
  readonly nowMs: () => number
  readonly handOver: () => void
}) {
  const space = yield* LogSpace
  let isShort = false
  let handedOverMs = Number.NEGATIVE_INFINITY

  const consider = (): void => {
    if (!isShort || !options.isLeader() || options.nowMs() < handedOverMs + handOverEveryMs) return
    handedOverMs = options.nowMs()
    options.handOver()
  }

  const watch: RoomWatch = {
    isShort: () => isShort,
    consider,
    follow: Stream.runForEach(space.roomChanges, ({ _tag }) =>
      Effect.suspend(() => {
        const wasShort = isShort
        isShort = _tag === "StorageShort"
        consider()
        return wasShort && !isShort ? Effect.logInfo("There is room on the disk again: writes go on") : Effect.void
      })
    )
  }
  return watch
})
