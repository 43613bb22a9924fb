/**
 * The state that one node owns for one log: the applied tables, and the tables ahead of them. Pure but for that state.
 * Speculation is a clone of the applied tables, so dropping it is forgetting a reference. D2.
 */
import { Result } from "effect"
import { anonymous } from "../Access/Caller.ts"
import type { Policy } from "../Access/Policy.ts"
import { InvariantViolation, invariant } from "../Invariant.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { Circumstances } from "./Circumstances.ts"
import type { Command } from "./Command.ts"
import type { CommandResult, Logged } from "./CommandResult.ts"
import type { Decision } from "./Decision.ts"
import { decide } from "./decide.ts"
import { decideKey } from "./decideKey.ts"
import * as Evidence from "./Evidence.ts"
import { endEntry, evolve } from "./evolve.ts"
import * as Format from "./Format.ts"
import { guardOf } from "./Guard.ts"
import * as Limits from "./Limits.ts"
import * as LocalParts from "./LocalParts.ts"
import * as LogAge from "./LogAge.ts"
import type { Overlay } from "./Overlay.ts"
import * as OwnEntries from "./OwnEntries.ts"
import * as Procedure from "./Procedure.ts"
import * as Tables from "./Tables.ts"
import { decode, type Entry, encode, type Transaction } from "./Transaction.ts"
import * as Watcher from "./Watcher.ts"

/** The applied tables and, on a leader, the tables after the last entry of its log. */
export interface Machine {
  applied: Tables.Tables
  speculative: Tables.Tables | undefined
  /** The entries that were decided here and are not applied yet. */
  ownEntries: OwnEntries.OwnEntries
  /** They hear of each record that an applied entry touches. */
  readonly watchers: Set<Watcher.Watcher>
  readonly logAge: LogAge.LogAge
  readonly procedures: Procedure.Procedures
  readonly onThrown: OnThrown
  /** The limits that this node writes when it decides. */
  readonly limits: Limits.Limits
  readonly formats: Format.Formats
  /** What this node enforces when it decides. Without it the node is open. */
  readonly policy: Policy | undefined
}

/**
 * Reports an error thrown while a command was decided, for the node's log. The client learns that the command failed.
 */
export type OnThrown = (thrown: unknown, command: Command["_tag"]) => void

/** A machine before its first entry. */
export const make = (
  descriptors: ReadonlyArray<Descriptor>,
  procedures: Procedure.Procedures = Procedure.none,
  onThrown: OnThrown = () => {},
  limits: Limits.Limits = Limits.current,
  formats: Format.Formats = Format.ofRelease,
  policy: Policy | undefined = undefined
): Machine => ({
  applied: Tables.make(descriptors, undefined, formats),
  speculative: undefined,
  ownEntries: OwnEntries.make(),
  watchers: new Set(),
  logAge: LogAge.make(),
  procedures,
  onThrown,
  limits,
  formats,
  policy
})

/** Advances the log's age to `monotonicMs`, this node's clock. Call it before each decide and after each apply. */
export const passTime = (machine: Machine, monotonicMs: number): void =>
  LogAge.pass(machine.logAge, { appliedMs: machine.applied.logAgeMs, monotonicMs })

/**
 * Starts deciding, on the applied tables. The caller takes in the entries of the log that are not applied.
 */
export const beginSpeculation = (machine: Machine): void => {
  machine.speculative = Tables.speculation(machine.applied)
  machine.ownEntries = OwnEntries.make()
}

/** Forgets the decisions ahead of the applied tables: leadership is lost, or a batch was refused. */
export const dropSpeculation = (machine: Machine): void => {
  machine.speculative = undefined
  machine.ownEntries = OwnEntries.make()
}

/**
 * The entry by which this node writes its limits, if the log has older ones. It must come before all other decisions.
 * Usually undefined, since the log has these limits or newer ones.
 */
export const decideLimits = (
  machine: Machine,
  { index, nowMs, term = 0 }: { readonly index: number; readonly nowMs: number; readonly term?: number }
): Entry | undefined => {
  const tables = machine.speculative
  invariant(tables !== undefined, "decided without speculation")
  const { limits } = machine
  if (!Limits.isNewer(limits, tables.limits)) return undefined
  const timeMs = Math.max(tables.lastTimeMs, nowMs)
  const logAgeMs = Math.max(tables.logAgeMs, machine.logAge.nowMs)
  const transaction: Transaction = {
    timeMs,
    logAgeMs,
    command: "Limits",
    events: [],
    outcome: { _tag: "Accepted" },
    limits,
    ...Format.beginning(tables, machine.formats),
    ...(tables.chain === undefined ? {} : { previous: tables.chain.digest })
  }
  const entry = { transaction, payload: encode(transaction) }
  append(machine, tables, { index, term }, entry)
  return entry
}

/** Makes a decided entry the last of the speculative log. The overlay that it was decided on has its changes. */
const append = (
  machine: Machine,
  tables: Tables.Tables,
  { index, term }: { readonly index: number; readonly term: number },
  { payload, transaction }: Entry,
  overlay?: Overlay
): void => {
  if (overlay === undefined) evolve(tables, { index, transaction })
  else {
    machine.speculative = Tables.adopt(overlay.tables)
    endEntry(machine.speculative, { index, transaction }, overlay.changed)
  }
  Evidence.extend(machine.speculative ?? tables, { index, term, payload, transaction })
  OwnEntries.hold(machine.ownEntries, index, { payload, transaction })
}

/** Decides the next command after all decided before it. If the decision is an entry, it counts as appended. */
export const decideNext = (machine: Machine, command: Command, circumstances: Circumstances): Decision => {
  const tables = machine.speculative
  invariant(tables !== undefined, "decided without speculation")
  invariant(circumstances.index > tables.index, "decided at an index that is taken")
  if (command.isGuarded === true && machine.policy === undefined) return unruled
  const { caller = anonymous } = command
  const guard = guardOf(machine.policy, caller)
  const at = {
    ...circumstances,
    caller,
    logAgeMs: machine.logAge.nowMs,
    formats: machine.formats,
    ...(machine.policy === undefined ? {} : { policy: machine.policy }),
    ...(guard === undefined ? {} : { guard }),
    ...(command.trace === undefined ? {} : { trace: command.trace })
  }
  const decision = attempt(machine, command, () => decide(tables, machine.procedures, command, at))
  const { entry, overlay } = decision
  if (entry !== undefined)
    append(machine, tables, { index: circumstances.index, term: circumstances.term ?? 0 }, entry, overlay)
  return decision
}

/** The node that forwarded the command enforces rules that this node's application does not have yet. */
const unruled: Decision = {
  result: {
    _tag: "Rejected",
    rejection: { _tag: "UpgradeRequired", model: "the rules of this application" }
  },
  entry: undefined
}

/**
 * Deciding leaves the tables unchanged, so a throw fails only its own command. Otherwise it would stop this leader and,
 * after a retry, the next one. A broken invariant is rethrown, since then the tables are wrong.
 */
const attempt = (machine: Machine, command: Command, deciding: () => Decision): Decision => {
  const decided = Result.try({ try: deciding, catch: (thrown) => thrown })
  if (Result.isSuccess(decided)) return decided.success
  if (decided.failure instanceof InvariantViolation) throw decided.failure
  machine.onThrown(decided.failure, command._tag)
  return { result: { _tag: "Rejected", rejection: { _tag: "CommandFailed", command: command._tag } }, entry: undefined }
}

/** The result for local parts that were set: the part that each record now shows. */
export interface PartsSet {
  readonly _tag: "Set"
  readonly parts: LocalParts.LocalPartsSet["parts"]
}

/** Decides local parts in the same way, in a node's own log. Without an entry they change nothing. */
export const decideNextParts = (
  machine: Machine,
  request: LocalParts.LocalPartsRequest,
  circumstances: { readonly index: number; readonly nowMs: number }
): { readonly result: PartsSet | CommandResult | Logged; readonly entry: Entry | undefined } => {
  const tables = machine.speculative
  invariant(tables !== undefined, "decided without speculation")
  const { index, nowMs } = circumstances
  invariant(index > tables.index, "decided at an index that is taken")
  const logAgeMs = machine.logAge.nowMs
  const known = decideKey(tables, request.origin ?? {}, { index, logAgeMs: Math.max(tables.logAgeMs, logAgeMs) })
  if (known !== undefined) return { result: known, entry: undefined }
  const decided = LocalParts.decideLocalParts(tables, request, { nowMs, logAgeMs })
  if (Result.isFailure(decided)) return { result: { _tag: "Rejected", rejection: decided.failure }, entry: undefined }
  const { entry, parts } = decided.success
  if (entry !== undefined) append(machine, tables, { index, term: 0 }, entry)
  return { result: { _tag: "Set", parts }, entry }
}

/** Applies a committed transaction entry. Entries are applied in order; those of other types are not the machine's. */
export const apply = (
  machine: Machine,
  entry: { readonly index: number; readonly term?: number; readonly payload: Uint8Array }
): Transaction => {
  invariant(entry.index > machine.applied.index, "applied an entry twice or out of order")
  const transaction = OwnEntries.take(machine.ownEntries, entry) ?? decoded(machine, entry)
  evolve(machine.applied, { index: entry.index, transaction })
  Evidence.extend(machine.applied, { term: 0, ...entry, transaction })
  Watcher.tell(machine.watchers, transaction)
  return transaction
}

/** Puts another state in place of the applied tables. */
export const replace = (machine: Machine, tables: Tables.Tables): void => {
  machine.applied = tables
  for (const watcher of machine.watchers) watcher.replaced()
}

/** Decodes the payload of an entry of the log. Stops the node if a newer release wrote it. */
export const decoded = (
  { formats }: Pick<Machine, "formats">,
  { index, payload }: { readonly index: number; readonly payload: Uint8Array }
): Transaction => {
  Format.checkKnown(`Entry ${index}`, payload[0], formats.newest)
  const result = decode(payload)
  // Its checksum was right, so these are the bytes that a leader encoded.
  invariant(Result.isSuccess(result), `Cannot apply entry ${index}`)
  return result.success
}
