/**
 * The reads of one node that wait: first until the core knows the index that each must see, then until that index is
 * applied. Bookkeeping only: what may be read is Reads.ts, and the shell settles. Diss. 6.4.
 */
import { Exit } from "effect"
import type { ReadReady } from "../core/Output.ts"
import type { NotDone } from "./Outcome.ts"

/** Told once what became of a read; with `leaseUntilMs`, until when it holds (C7). */
export type SettleRead = (exit: Exit.Exit<number, NotDone>, leaseUntilMs?: number) => void

interface WaitingRead {
  readIndex: number | undefined
  leaseUntilMs: number | undefined
  readonly settle: SettleRead
}

export interface WaitingReads {
  readonly byId: Map<number, WaitingRead>
  /** Those that the next turn tells the core of, all at once. */
  asked: Array<number>
  nextId: number
}

export const make = (): WaitingReads => ({ byId: new Map(), asked: [], nextId: 1 })

/** A read that its caller tells the core of. */
export const add = (reads: WaitingReads, settle: SettleRead): number => {
  const readId = reads.nextId++
  reads.byId.set(readId, { readIndex: undefined, leaseUntilMs: undefined, settle })
  return readId
}

/** A read that the next turn tells the core of. */
export const ask = (reads: WaitingReads, settle: SettleRead): number => {
  const readId = add(reads, settle)
  reads.asked.push(readId)
  return readId
}

/** What the core is to be told of now. */
export const takeAsked = (reads: WaitingReads): ReadonlyArray<number> => {
  const { asked } = reads
  reads.asked = []
  return asked
}

/** Whoever asked does not wait any more. */
export const forget = (reads: WaitingReads, readId: number): boolean => reads.byId.delete(readId)

/** The core knows what this read must see. */
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

/** Answers those whose index is applied. */
export const finish = (reads: WaitingReads, appliedIndex: number): void => {
  for (const [readId, { leaseUntilMs, readIndex, settle }] of reads.byId) {
    if (readIndex === undefined || readIndex > appliedIndex) continue
    reads.byId.delete(readId)
    settle(Exit.succeed(readIndex), leaseUntilMs)
  }
}

/** The node stopped: all that wait are refused. */
export const refuseAll = (reads: WaitingReads, refusal: Exit.Exit<never, NotDone>): void => {
  for (const { settle } of reads.byId.values()) settle(refusal)
  reads.byId.clear()
}
