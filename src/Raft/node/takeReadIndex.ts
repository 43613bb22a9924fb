/**
 * Takes a read index for one caller after another: by a round of the quorum, or under a lease. Reads.ts decides how a
 * read is confirmed, WaitingReads.ts keeps those that wait. Diss. 6.4.
 */
import type { Input } from "../core/Input.ts"
import type { NotDone } from "./Outcome.ts"
import type { Forget, Settle } from "./Settle.ts"
import * as WaitingReads from "./WaitingReads.ts"

/** Takes the index of a read, in the middle of a turn. */
export type SettleIndex = Settle<number, NotDone>

/** Returns a function that asks for an index until `deadlineMs`, and returns how to give the read up. */
export const make = (options: {
  readonly reads: WaitingReads.WaitingReads
  readonly isLeased: boolean
  readonly monotonicNowMs: () => number
  readonly run: (input: Input) => void
  /** Makes a turn come. */
  readonly ring: () => void
}): ((deadlineMs: number, settle: SettleIndex) => Forget) => {
  const { isLeased, monotonicNowMs, reads, ring, run } = options

  const byRound = (deadlineMs: number, settle: SettleIndex): number => {
    const readId = WaitingReads.ask(reads, settle, deadlineMs)
    ring()
    return readId
  }

  /**
   * The core checks a lease by the last tick, and a pause may have followed it. So this checks the lease by the clock
   * once more, after the read's index is applied. One check then is enough, since the applied index only grows (C7).
   */
  const readUnderLease = (deadlineMs: number, settle: SettleIndex, again: (readId: number) => void): number => {
    const settleLeased: WaitingReads.SettleRead = (exit, leaseUntilMs = Number.POSITIVE_INFINITY) => {
      if (monotonicNowMs() < leaseUntilMs) settle(exit)
      else again(byRound(deadlineMs, settle))
    }
    const readId = WaitingReads.add(reads, settleLeased, deadlineMs)
    run({ _tag: "Read", readIds: [readId], mayLease: true })
    ring()
    return readId
  }

  return (deadlineMs, settle) => {
    if (!isLeased) {
      const readId = byRound(deadlineMs, settle)
      return () => void WaitingReads.forget(reads, readId)
    }
    let readId = readUnderLease(deadlineMs, settle, (next) => {
      readId = next
    })
    return () => void WaitingReads.forget(reads, readId)
  }
}
