/**
 * The waiting reads of one node: first until the core knows the index that each must see, then until that index is
 * applied. It only keeps the books: Reads.ts decides, and the shell settles. Diss. 6.4.
 */
import { Exit } from "effect"
import type { ReadReady } from "../core/Output.ts"
import * as Deadlines from "./Deadlines.ts"
import { InFlight } from "./InFlight.ts"
import { NotDone } from "./Outcome.ts"

/** Takes the result of a read, in the middle of a turn: it must not throw. `leaseUntilMs` says until when it holds (C7). */
export type SettleRead = (exit: Exit.Exit<number, NotDone>, leaseUntilMs?: number) => void

interface WaitingRead {
  readIndex: number | undefined
  leaseUntilMs: number | undefined
  /** Its number among the deadlines, if it has one. */
  readonly deadline: number | undefined
  readonly settle: SettleRead
}

export interface WaitingReads {
  readonly byId: InFlight<WaitingRead>
  readonly deadlines: Deadlines.Deadlines<number>
  /** Reads that the next turn passes to the core, all at once. */
  asked: Array<number>
  nextId: number
}

export const make = (): WaitingReads => ({ byId: new InFlight(), deadlines: Deadlines.make(), asked: [], nextId: 1 })

/** Adds a read that its caller passes to the core. Without a deadline it may wait for ever. */
export const add = (reads: WaitingReads, settle: SettleRead, deadlineMs?: number): number => {
  const readId = reads.nextId++
  const deadline = deadlineMs === undefined ? undefined : Deadlines.add(reads.deadlines, readId, deadlineMs)
  reads.byId.set(readId, { readIndex: undefined, leaseUntilMs: undefined, deadline, settle })
  return readId
}

/** Adds a read that the next turn passes to the core. */
export const ask = (reads: WaitingReads, settle: SettleRead, deadlineMs?: number): number => {
  const readId = add(reads, settle, deadlineMs)
  reads.asked.push(readId)
  return readId
}

/** The reads to pass to the core now. */
export const takeAsked = (reads: WaitingReads): ReadonlyArray<number> => {
  const { asked } = reads
  reads.asked = []
  return asked
}

/** The caller has given up. Returns whether the read still waited. */
export const forget = (reads: WaitingReads, readId: number): boolean => {
  const deadline = reads.byId.get(readId)?.deadline
  if (deadline !== undefined) Deadlines.remove(reads.deadlines, deadline)
  return reads.byId.delete(readId)
}

/** The core knows the index that this read must see. */
export const ready = (reads: WaitingReads, { leaseUntilMs, readId, readIndex }: ReadReady): void => {
  const read = reads.byId.get(readId)
  if (read === undefined) return
  read.readIndex = readIndex
  read.leaseUntilMs = leaseUntilMs
}

/** Refuses a read. No quorum confirmed a leader, or its time is over. */
export const refuse = (reads: WaitingReads, readId: number, refusal: Exit.Exit<never, NotDone>): void => {
  const read = reads.byId.get(readId)
  if (read !== undefined && forget(reads, readId)) read.settle(refusal)
}

const lagging = Exit.fail(
  new NotDone({ reason: "no-quorum", message: "This node is too far behind the leader to serve this read" })
)

/** Ends the reads whose time is over. */
export const endOverdue = (reads: WaitingReads, nowMs: number): void => {
  for (const { request: readId } of Deadlines.overdue(reads.deadlines, nowMs)) refuse(reads, readId, lagging)
}

/** Answers the reads whose index is applied. */
export const finish = (reads: WaitingReads, appliedIndex: number): void => {
  if (reads.byId.size === 0) return
  for (const [readId, { leaseUntilMs, readIndex, settle }] of reads.byId.entries()) {
    if (readIndex === undefined || readIndex > appliedIndex) continue
    // A read that was answered before may have made the caller of this one give up.
    if (forget(reads, readId)) settle(Exit.succeed(readIndex), leaseUntilMs)
  }
}

/** The node stopped: all waiting reads are refused. */
export const refuseAll = (reads: WaitingReads, refusal: Exit.Exit<never, NotDone>): void => {
  for (const [readId] of reads.byId.entries()) refuse(reads, readId, refusal)
}
