/**
 * Decides on a leader: a queue of commands becomes one batch of entries. The batch is decided in order on the
 * speculative state, and is appended exactly where it was decided, or not at all. Synchronous; the shell calls it once
 * per turn.
 *
 * A result without an entry depends on a log whose end may be uncommitted, and on a leadership that may be over. So it
 * waits for a read-index round of the same leadership that begins after the decision, and for the entry below the
 * decision.
 */
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import type { Propose } from "../core/Input.ts"
import type { ProposalResult } from "../core/Output.ts"
import * as RaftLog from "../core/RaftLog.ts"
import type { State } from "../core/State.ts"
import type { Answered } from "./Answered.ts"
import type { StateMachine } from "./StateMachine.ts"

/** One command that waits to be decided. `W` is the request that waits for it. */
export interface Pending<Command, W> {
  readonly command: Command
  readonly waiter: W
}

/** The result of a batch. `onIndex` is the end of the log that a result was decided on. */
export interface DecidedBatch<CommandResult, W> {
  readonly appended: ReadonlyArray<{ readonly waiter: W; readonly answered: Answered<CommandResult> }>
  readonly answered: ReadonlyArray<{ readonly waiter: W; readonly onIndex: number; readonly result: CommandResult }>
  /** Commands that are certainly not done: no entry of them was appended anywhere. */
  readonly refused: ReadonlyArray<{ readonly waiter: W; readonly reason: "no-quorum" | "overloaded" }>
  /** The number of commands that this covers, from the first on. The others are still to be decided. */
  readonly takenCount: number
}

/** Whether this node may decide: it leads, and its own no-op is applied, so that no entry below it can still change. */
export const mayDecide = (core: State): boolean =>
  core.role._tag === "Leader" &&
  core.lastApplied >= core.role.noopIndex &&
  core.role.transfer === undefined &&
  !core.shutDown

/**
 * Decides `pending` in order, until `isOver`, and proposes the entries as one batch. Once the room for uncommitted
 * bytes is used up, it refuses further commands without deciding them: otherwise speculation would hold entries that
 * the core then refuses, and would have to be redone.
 */
export const decideBatch = <Command, CommandResult, W>(options: {
  readonly core: State
  readonly machine: StateMachine<Command, CommandResult>
  readonly pending: ReadonlyArray<Pending<Command, W>>
  readonly nowMs: number
  /**
   * Checked before each command but the first. Once true, the rest is left for another batch, which must not wait for
   * this one.
   */
  readonly isOver: () => boolean
  readonly propose: (batch: Propose) => ProposalResult
}): DecidedBatch<CommandResult, W> => {
  const { core, machine, pending } = options
  let takenCount = 0
  const refuseAll = (reason: "no-quorum" | "overloaded"): DecidedBatch<CommandResult, W> => {
    const taken = pending.slice(0, takenCount)
    return { appended: [], answered: [], refused: taken.map(({ waiter }) => ({ waiter, reason })), takenCount }
  }
  const { role } = core
  if (role._tag !== "Leader" || !mayDecide(core)) {
    takenCount = pending.length
    return refuseAll("no-quorum")
  }
  const decidedOn = { term: core.currentTerm, lastIndex: core.log.lastIndex }
  const appended: Array<DecidedBatch<CommandResult, W>["appended"][number]> = []
  const answered: Array<DecidedBatch<CommandResult, W>["answered"][number]> = []
  const refused: Array<DecidedBatch<CommandResult, W>["refused"][number]> = []
  const entries: Array<Propose["entries"][number]> = []
  let uncommittedBytes = role.uncommittedBytes
  const opening = machine.opening({
    index: decidedOn.lastIndex + 1,
    term: decidedOn.term,
    nowMs: options.nowMs
  })
  if (opening !== undefined) {
    entries.push({ type: "transaction", payload: opening })
    uncommittedBytes += opening.length
  }
  for (const { command, waiter } of pending) {
    if (takenCount > 0 && options.isOver()) break
    takenCount++
    if (uncommittedBytes >= core.config.uncommittedBytes) {
      refused.push({ waiter, reason: "overloaded" })
      continue
    }
    const index = decidedOn.lastIndex + entries.length + 1
    const { entry, result } = machine.decide(command, { index, term: decidedOn.term, nowMs: options.nowMs })
    if (entry === undefined) answered.push({ waiter, onIndex: index - 1, result })
    else {
      entries.push({ type: "transaction", payload: entry.payload })
      uncommittedBytes += entry.payload.length
      appended.push({ waiter, answered: { index, result } })
    }
  }
  if (entries.length === 0) return { appended, answered, refused, takenCount }
  const result = options.propose({ _tag: "Propose", ...decidedOn, entries })
  if (result._tag === "Accepted") return { appended, answered, refused, takenCount }
  // The speculative state holds entries that the core refused, and later answers depend on them.
  machine.dropSpeculation()
  return refuseAll(result.reason === "overloaded" ? "overloaded" : "no-quorum")
}

/** The entries after `appliedIndex` at the end of a leader's log. Its window keeps every entry that is not applied. */
export const unapplied = (core: State, appliedIndex: number): ReadonlyArray<LogEntry> =>
  RaftLog.slice(core.log, { fromIndex: appliedIndex + 1, maxBytes: Number.POSITIVE_INFINITY })
