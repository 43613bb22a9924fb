/** Turns a batch of writes into records, and checks them before the log writes a byte. Pure. */
import { invariant } from "../Invariant.ts"
import type { LogWrite } from "./LogEntry.ts"
import { type LogIndex, termAt } from "./LogIndex.ts"
import type { RecordBody } from "./Record.ts"
import { takeRecord } from "./takeRecord.ts"

/** Records in order. With `restarts`, one of them begins the log anew, and the batch must begin a segment. */
export interface LogBatch {
  readonly bodies: ReadonlyArray<RecordBody>
  readonly restarts: boolean
  /** Whether it must begin a segment for another reason. */
  readonly begins?: true
}

/** The records of `writes`. If recovery would refuse one of them, that is a broken invariant here. */
export function batchOf(writes: ReadonlyArray<LogWrite>, held: LogIndex): LogBatch {
  const isPlain = writes.every(({ snapshot, truncateFromIndex }) => (snapshot ?? truncateFromIndex) === undefined)
  return isPlain ? plainBatchOf(writes, held.lastIndex) : anyBatchOf(writes, held)
}

/** Entries that follow the log, and hard states: nearly all batches. */
function plainBatchOf(writes: ReadonlyArray<LogWrite>, heldIndex: number): LogBatch {
  const bodies: Array<RecordBody> = []
  let lastIndex = heldIndex
  for (const { entries, hardState } of writes) {
    if (hardState !== undefined) bodies.push({ _tag: "HardState", hardState })
    for (const entry of entries) {
      invariant(entry.index === lastIndex + 1, `entry ${entry.index} follows entry ${lastIndex}`)
      lastIndex = entry.index
      bodies.push({ _tag: "Entry", entry })
    }
  }
  return { bodies, restarts: false }
}

function anyBatchOf(writes: ReadonlyArray<LogWrite>, held: LogIndex): LogBatch {
  const marks = writes.some(({ snapshot }) => snapshot !== undefined)
  // The index of the log after each record. Only a mark asks for terms.
  const scratch: LogIndex = {
    ...held,
    segments: [],
    anchors: [],
    termRuns: marks ? held.termRuns.map((run) => ({ ...run })) : []
  }
  let bodies: Array<RecordBody> = []
  let restarts = false
  const put = (body: RecordBody) => {
    takeRecord(scratch, body, { segment: 0, offset: 0 })
    bodies.push(body)
  }
  for (const { truncateFromIndex, snapshot, hardState, entries } of writes) {
    if (truncateFromIndex !== undefined) put({ _tag: "TruncateFrom", fromIndex: truncateFromIndex })
    // A newer snapshot overtook this one while it was taken: nothing rests on it.
    if (snapshot !== undefined && snapshot.index > (scratch.snapshot?.index ?? 0)) {
      const isHeld = termAt(scratch, snapshot.index) === snapshot.term
      if (!isHeld) {
        // Of the records before it only hard states stay, since no reader could tell what a truncation removed.
        bodies = bodies.filter(({ _tag }) => _tag === "HardState")
        restarts = true
      }
      put({ _tag: "SnapshotMark", mark: snapshot, restarts: !isHeld, firstSegment: held.neededSegment })
    }
    if (hardState !== undefined) put({ _tag: "HardState", hardState })
    for (const entry of entries) put({ _tag: "Entry", entry })
  }
  return { bodies, restarts }
}

/** The same records for `firstSegment`, with which the log begins once they are durable. */
export function beginningAt({ bodies }: LogBatch, firstSegment: number): ReadonlyArray<RecordBody> {
  return bodies.map((body) => (body._tag === "SnapshotMark" ? { ...body, firstSegment } : body))
}
