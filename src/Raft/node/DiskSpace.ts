/**
 * A node whose disk has no room for the log's next segment takes no more writes from clients and hands leadership over,
 * so that a node with room leads. It keeps the remaining room for other nodes' entries. It resumes by itself once there
 * is room. docs/raft.md, "Disk".
 */
import { Effect, Stream } from "effect"
import { LogSpace } from "../../EventStore/LogSpace.ts"
import { NotDone } from "./Outcome.ts"

/** The answer of a node without room to every write, whichever node leads. */
export const storageFull = new NotDone({
  reason: "storage-full",
  message: "Cannot write: the disk of this node is nearly full"
})

/** If no node has room, leadership moves no faster than this. */
const handOverEveryMs = 10_000

export interface RoomWatch {
  readonly isShort: () => boolean
  /** Hands over if this node leads without room and has not just tried. */
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
        if (isShort === wasShort) return Effect.void
        return isShort
          ? Effect.logWarning("The disk has no room for more of the log: this node takes no writes until it has")
          : Effect.logInfo("There is room on the disk again: writes go on")
      })
    )
  }
  return watch
})
