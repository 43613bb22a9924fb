/** The refusals of a node that neither leads nor follows any more, or has no room. Certain: nothing was done. */
import { Exit } from "effect"
import * as DiskSpace from "./DiskSpace.ts"
import { NotDone, draining as notBegun } from "./Outcome.ts"
import * as StateWatch from "./StateWatch.ts"

/** The limit on commands that wait to be decided. One more is refused as overloaded. */
export const pendingMaxCount = 4096

const notDone = (reason: "no-quorum" | "overloaded", message: string) => Exit.fail(new NotDone({ reason, message }))

/** This node has stopped. */
export const stoppedHere = notDone("no-quorum", "This node has stopped")

/** This node is about to stop. */
export const leavingHere = Exit.fail(notBegun)

/** This node's state is not trusted. */
export const suspectHere = Exit.fail(StateWatch.suspect)

/** No quorum confirms a leader. */
export const unconfirmed = notDone("no-quorum", "Cannot read: no quorum confirms a leader")

/** The disk has no room for another segment. */
export const noRoom = Exit.fail(DiskSpace.storageFull)

/** Too many commands wait. */
export const tooManyWait = notDone("overloaded", `Cannot write: ${pendingMaxCount} commands wait already`)
