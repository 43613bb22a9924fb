/**
 * The commands of one node from arrival to answer: those that wait to be decided, those whose entries wait to be
 * committed, and answers without an entry, which wait for a round of reads. Owned and synchronous, so that RaftNode and
 * the simulator can both drive it. decideBatch.ts decides a batch. D2, C18.
 */
import { Exit } from "effect"
import type { LogEntry } from "../../EventStore/LogEntry.ts"
import { invariant } from "../../Invariant.ts"
import type { Input } from "../core/Input.ts"
import type { Output } from "../core/Output.ts"
import { termAt } from "../core/RaftLog.ts"
import type { State } from "../core/State.ts"
import type { Answered } from "./Answered.ts"
import * as Deadlines from "./Deadlines.ts"
import { type DecidedBatch, decideBatch, mayDecide, type Pending, unapplied } from "./decideBatch.ts"
import { NotDone, UnknownOutcome } from "./Outcome.ts"
import type { Settle } from "./Settle.ts"
import type { StateMachine } from "./StateMachine.ts"
import * as Waiters from "./Waiters.ts"
import * as WaitingReads from "./WaitingReads.ts"

/** Takes the outcome of a command, in the middle of a turn. */
export type SettleAnswer<CommandResult> = Settle<Answered<CommandResult>, NotDone | UnknownOutcome>

/**
 * One submitted command. Until it is proposed, giving up means that it is certainly not done. After that its outcome is
 * unknown.
 */
export interface Ticket<CommandResult> {
  proposed: Answered<CommandResult> | undefined
  /** Its number among those that wait for an outcome. */
  deadline: number
  readonly timeoutMs: number
  readonly settle: SettleAnswer<CommandResult>
}

export interface Deciding<Command, CommandResult> {
  readonly machine: StateMachine<Command, CommandResult>
  readonly pending: Array<Pending<Command, Ticket<CommandResult>>>
  /** Commands taken from `pending` that are not settled. After a defect they stay here, and may have been proposed. */
  underWay: ReadonlyArray<Pending<Command, Ticket<CommandResult>>>
  readonly waiters: Waiters.Waiters<Ticket<CommandResult>>
  /** All commands whose outcome somebody waits for. */
  readonly open: Deadlines.Deadlines<Ticket<CommandResult>>
  /** The last entry that the speculative state reflects; undefined without one. */
  speculatedIndex: number | undefined
}

/** The core, the function that steps it, the reads that wait beside the commands, and the clock. */
export interface TurnState {
  readonly core: State
  readonly run: (input: Input) => Output
  readonly reads: WaitingReads.WaitingReads
  /** The machine's applied index, which may be ahead of the core's. */
  readonly appliedIndex: number
  /** The wall clock. */
  readonly nowMs: number
  /** Checked before each command but the first. Once true, the rest waits for the next turn. */
  readonly isOver: () => boolean
}

export const make = <Command, CommandResult>(
  machine: StateMachine<Command, CommandResult>
): Deciding<Command, CommandResult> => ({
  machine,
  pending: [],
  underWay: [],
  waiters: Waiters.make(),
  open: Deadlines.make(),
  speculatedIndex: undefined
})

/** Adds a command, which the next turn decides. */
export const submit = <Command, CommandResult>(
  deciding: Deciding<Command, CommandResult>,
  command: Command,
  settle: SettleAnswer<CommandResult>,
  { nowMs, timeoutMs }: { readonly nowMs: number; readonly timeoutMs: number } = forEver
): Ticket<CommandResult> => {
  const ticket: Ticket<CommandResult> = { proposed: undefined, deadline: 0, timeoutMs, settle }
  deciding.pending.push({ command, waiter: ticket })
  ticket.deadline = Deadlines.add(deciding.open, ticket, nowMs + timeoutMs)
  return ticket
}

const forEver = { nowMs: 0, timeoutMs: Number.POSITIVE_INFINITY }

/** Calls the command's `settle`, unless its outcome was told before or its caller has given up. */
const settle = <Command, CommandResult>(
  { open }: Deciding<Command, CommandResult>,
  ticket: Ticket<CommandResult>,
  exit: Parameters<SettleAnswer<CommandResult>>[0]
): void => {
  if (Deadlines.remove(open, ticket.deadline)) ticket.settle(exit)
}

/** The caller has given up. If the command was not proposed, it never will be. */
export const forget = <Command, CommandResult>(
  deciding: Deciding<Command, CommandResult>,
  ticket: Ticket<CommandResult>
): void => {
  if (!Deadlines.remove(deciding.open, ticket.deadline)) return
  if (ticket.proposed !== undefined) Waiters.remove(deciding.waiters, ticket.proposed.index, ticket)
  const position = deciding.pending.findIndex(({ waiter }) => waiter === ticket)
  if (position >= 0) deciding.pending.splice(position, 1)
}

/** Ends the commands whose time is over. Those that were not proposed never will be. */
export const endOverdue = <Command, CommandResult>(deciding: Deciding<Command, CommandResult>, nowMs: number): void => {
  for (const { request: ticket } of Deadlines.overdue(deciding.open, nowMs)) {
    forget(deciding, ticket)
    ticket.settle(
      ticket.proposed === undefined
        ? notDone("no-quorum", `Cannot write: not proposed within ${ticket.timeoutMs} ms`)
        : Exit.fail(new UnknownOutcome({ message: `Not committed within ${ticket.timeoutMs} ms` }))
    )
  }
}

/** Forgets decisions ahead of the applied state: this node stopped leading, or that state was replaced. */
export const dropSpeculation = <Command, CommandResult>(deciding: Deciding<Command, CommandResult>): void => {
  if (deciding.speculatedIndex === undefined) return
  deciding.speculatedIndex = undefined
  deciding.machine.dropSpeculation()
}

/** Decides the waiting commands, as one batch. */
export const decide = <Command, CommandResult>(deciding: Deciding<Command, CommandResult>, at: TurnState): void => {
  const { core, run } = at
  const { machine, pending, waiters } = deciding
  // The core may have appended an entry by itself, as a change of the members does.
  if (mayDecide(core) && deciding.speculatedIndex !== core.log.lastIndex) {
    machine.beginSpeculation(unapplied(core, at.appliedIndex))
    deciding.speculatedIndex = core.log.lastIndex
  }
  if (pending.length === 0) return
  const term = core.currentTerm
  deciding.underWay = pending.splice(0)
  const decided = decideBatch({
    core,
    machine,
    pending: deciding.underWay,
    nowMs: at.nowMs,
    isOver: at.isOver,
    propose: (propose) => {
      const { proposal } = run(propose)
      invariant(proposal !== undefined, "a proposal was given no result")
      deciding.speculatedIndex = proposal._tag === "Refused" ? undefined : propose.lastIndex + propose.entries.length
      return proposal
    }
  })
  for (const { waiter, answered } of decided.appended) {
    waiter.proposed = answered
    Waiters.add(waiters, { index: answered.index, term }, waiter)
  }
  confirm(deciding, at, decided.answered)
  for (const { waiter, reason } of decided.refused) {
    settle(deciding, waiter, notDone(reason, "Cannot write: nothing was proposed"))
  }
  // An outcome told above may have made a caller give up one of the rest.
  const rest = deciding.underWay.slice(decided.takenCount)
  pending.unshift(...rest.filter(({ waiter }) => Deadlines.has(deciding.open, waiter.deadline)))
  deciding.underWay = []
}

/**
 * Confirms answers without an entry while the leadership that decided them lasts: a successor may have committed, and
 * answered, changes that they do not reflect. If the entry below the decision has another term, the answer rests on an
 * entry that was never committed.
 */
const confirm = <Command, CommandResult>(
  deciding: Deciding<Command, CommandResult>,
  { core, reads, run }: TurnState,
  answered: DecidedBatch<CommandResult, Ticket<CommandResult>>["answered"]
): void => {
  const last = answered[answered.length - 1]
  if (last === undefined) return
  const readIds = answered.map(({ waiter, onIndex, result }) => {
    const onTerm = termAt(core.log, onIndex)
    return WaitingReads.add(reads, (exit) => {
      const isUndone = Exit.isSuccess(exit) && termAt(core.log, onIndex) !== onTerm
      if (isUndone) {
        settle(deciding, waiter, notDone("no-quorum", "Cannot write: it was decided on entries that are undone"))
      } else {
        const answered = Exit.mapBoth(exit, { onSuccess: (index) => ({ index, result }), onFailure: unconfirmed })
        settle(deciding, waiter, answered)
      }
    })
  })
  run({ _tag: "Read", readIds, atLeastIndex: last.onIndex })
}

/** Turns a refused read into the refusal of the write that it was to confirm. */
const unconfirmed = ({ reason }: NotDone): NotDone =>
  new NotDone({ reason, message: "Cannot write: no quorum confirmed that this node still leads" })

/**
 * The machine has applied an entry. This settles the commands that wait for it, and those for another entry at its
 * index.
 */
export const applied = <Command, CommandResult>(deciding: Deciding<Command, CommandResult>, entry: LogEntry): void => {
  const settled = Waiters.settle(deciding.waiters, entry)
  for (const ticket of settled.done) {
    invariant(ticket.proposed !== undefined, "a command that was never proposed was committed")
    settle(deciding, ticket, Exit.succeed(ticket.proposed))
  }
  for (const ticket of settled.notDone) {
    settle(deciding, ticket, notDone("no-quorum", "Cannot write: another entry was committed in its place"))
  }
}

/** This node has stopped: proposed commands are unknown, and all others are not done. */
export const stop = <Command, CommandResult>(
  deciding: Deciding<Command, CommandResult>,
  stoppedHere: Exit.Exit<never, NotDone>
): void => {
  const unknown = Exit.fail(new UnknownOutcome({ message: "This node stopped before it knew" }))
  for (const { waiter } of deciding.underWay) settle(deciding, waiter, unknown)
  for (const ticket of Waiters.drain(deciding.waiters)) settle(deciding, ticket, unknown)
  for (const { waiter } of deciding.pending.splice(0)) settle(deciding, waiter, stoppedHere)
}

const notDone = (reason: "no-quorum" | "overloaded", message: string): Exit.Exit<never, NotDone> =>
  Exit.fail(new NotDone({ reason, message }))
