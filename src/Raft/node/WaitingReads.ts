/**
 * The waiting reads of one node: first until the core knows the index that each must see, then until that index is
 * applied. It only keeps the books: Reads.ts decides, and the shell settles. Diss. 6.4.
 */
import { Exit } from "effect"
import type { ReadReady } from "../core/Output.ts"
import type { NotDone } from "./Outcome.ts"

/** Called once with the result of a read. `leaseUntilMs` says until when it holds (C7). */
export type SettleRead = (exit: Exit.Exit<number, NotDone>, leaseUntilMs?: number) => void

interface WaitingRead {
  readIndex: number | undefined
  leaseUntilMs: number | undefined
  readonly settle: SettleRead
}

export interface WaitingReads {
  readonly byId: Map<number, WaitingRead>
  /** Reads that the next turn passes to the core, all at once. */
  asked: Array<number>
  nextId: number
}

export const make = (): WaitingReads => ({ byId: new Map(), asked: [], nextId: 1 })

/** Adds a read that its caller passes to the core. */
export const add = (reads: WaitingReads, settle: SettleRead): number => {
  const readId = reads.nextId++
  reads.byId.set(readId, { readIndex: undefined, leaseUntilMs: undefined, settle })
  return readId
}

/** Adds a read that the next turn passes to the core. */
export const ask = (reads: WaitingReads, settle: SettleRead): number => {
  const readId = add(reads, settle)
  reads.asked.push(readId)
  return readId
}

/** The reads to pass to the core now. */
export const takeAsked = (reads: WaitingReads): ReadonlyArray<number> => {
  const { asked } = reads
  reads.asked = []
  return asked
}

/** The caller has given up. */
export const forget = (reads: WaitingReads, readId: number): boolean => reads.byId.delete(readId)

/** The core knows the index that this read must see. */
export const ready = (reads: WaitingReads, { leaseUntilMs, readId, readIndex }: ReadReady): void => {
  const read = reads.byId.get(readId)
  if (read === undefined) return
  read.readIndex = readIndex
  read.leaseUntilMs = leaseUntilMs
}

/** No quorum confirmed a leader. */
export const refuse = (reads: WaitingReads, readId: number, refusal: Exit.Exit<never, NotDone>): void => {
  reads.byId.get(readId)?.settle(refusal)
  reads.byId.delete(readId)
}

/** Answers the reads whose index is applied. */
export const finish = (reads: WaitingReads, appliedIndex: number): void => {
  for (const [readId, { leaseUntilMs, readIndex, settle }] of reads.byId) {
    if (readIndex === undefined || readIndex > appliedIndex) continue
    reads.byId.delete(readId)
    settle(Exit.succeed(readIndex), leaseUntilMs)
  }
}

/** The node stopped: all waiting reads are refused. */
export const refuseAll = (reads: WaitingReads, refusal: Exit.Exit<never, NotDone>): void => {
  for (const { settle } of reads.byId.values()) settle(refusal)
  reads.byId.clear()
}
