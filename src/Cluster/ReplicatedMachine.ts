/** The machine as consensus drives it: decisions become payloads, and committed entries become tables. Synchronous. */
import { Result } from "effect"
import type { LogEntry } from "../EventStore/LogEntry.ts"
import { invariant } from "../Invariant.ts"
import type { Command } from "../Machine/Command.ts"
import type { CommandResult, Logged } from "../Machine/CommandResult.ts"
import * as Evidence from "../Machine/Evidence.ts"
import { evolve } from "../Machine/evolve.ts"
import * as Machine from "../Machine/Machine.ts"
import * as OwnEntries from "../Machine/OwnEntries.ts"
import * as Snapshot from "../Machine/Snapshot.ts"
import * as StateContent from "../Machine/StateContent.ts"
import * as StateElements from "../Machine/StateElements.ts"
import * as StateHash from "../Machine/StateHash.ts"
import * as Tables from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import type { DecidedAt, RestoredHash, Restoring, StateMachine } from "../Raft/node/StateMachine.ts"

export type { CommandResult } from "../Machine/CommandResult.ts"

/** Hears of each decision, and of each entry that is applied. */
export interface MachineWatch {
  readonly nowNanos: () => bigint
  /** A decision is made. If it is an entry, it counts as appended at `at.index`. */
  readonly decided: (
    command: Command,
    made: { readonly tookNanos: bigint; readonly at: DecidedAt; readonly isEntry: boolean }
  ) => void
  /** Applies an entry; undefined if nobody follows entries. */
  readonly applying: ((entry: LogEntry, apply: () => void) => void) | undefined
}

/** `newId` makes the ids of records that come without one. `monotonicMs` is the time that ages the log. */
export const make = (
  machine: Machine.Machine,
  options: {
    readonly newId: () => string
    readonly monotonicMs: () => number
    readonly watch?: MachineWatch
  }
): StateMachine<Command, CommandResult | Logged> => {
  const apply = (entry: LogEntry): void => {
    if (entry.type !== "transaction") {
      Evidence.extend(machine.applied, entry)
      return
    }
    Machine.apply(machine, entry)
    Machine.passTime(machine, options.monotonicMs())
  }
  const applying = options.watch?.applying
  return {
    beginSpeculation: (unapplied) => {
      Machine.beginSpeculation(machine)
      for (const entry of unapplied) speculate(machine, entry)
    },
    dropSpeculation: () => Machine.dropSpeculation(machine),
    opening: (at) => {
      Machine.passTime(machine, options.monotonicMs())
      return Machine.decideLimits(machine, at)?.payload
    },
    decide: (command, at) => {
      Machine.passTime(machine, options.monotonicMs())
      const { newId, watch } = options
      if (watch === undefined) return Machine.decideNext(machine, command, { ...at, newId })
      const beganNanos = watch.nowNanos()
      const decision = Machine.decideNext(machine, command, { ...at, newId })
      watch.decided(command, { tookNanos: watch.nowNanos() - beganNanos, at, isEntry: decision.entry !== undefined })
      return decision
    },
    apply: applying === undefined ? apply : (entry) => applying(entry, () => apply(entry)),
    snapshot: () => Snapshot.contentOf(machine.applied),
    restoring: (hash) => restoring(machine, hash, false),
    hash: () => machine.applied.hash,
    hashDefinition: StateElements.definition,
    auditing: () => auditing(machine),
    rebuilding: () => {
      const applied = Tables.make(descriptorsOf(machine), undefined, machine.formats)
      Tables.deferIndexes(applied)
      const anew: Machine.Machine = {
        ...machine,
        applied,
        speculative: undefined,
        ownEntries: OwnEntries.make(),
        watchers: new Set()
      }
      return {
        restoring: (hash) => restoring(anew, hash, true),
        apply: (entry) => {
          if (entry.type === "transaction") Machine.apply(anew, entry)
          else Evidence.extend(anew.applied, entry)
        },
        end: () => {
          Tables.buildIndexes(anew.applied)
          Machine.replace(machine, anew.applied)
        }
      }
    }
  }
}

const descriptorsOf = ({ applied }: Machine.Machine): ReadonlyArray<Descriptor> => [...applied.descriptors.values()]

const restoring = (machine: Machine.Machine, hash: RestoredHash, areIndexesDue: boolean): Restoring => {
  const restoring = Snapshot.restoring(descriptorsOf(machine), {
    newestFormat: machine.formats.newest,
    isHashCounted: hash === "counted",
    areIndexesDue
  })
  return {
    take: restoring.take,
    end: () =>
      Result.map(restoring.end(), (tables) => {
        Machine.replace(machine, tables)
      })
  }
}

function* auditing(machine: Machine.Machine): Generator<void, boolean> {
  const { applied } = machine
  const clone = Tables.clone(applied)
  const found = yield* StateContent.counting(clone)
  const isRight = found.every((lane, at) => lane === clone.hash[at])
  if (isRight || machine.applied !== applied) return true
  // The hash adds up, so only the part below the clone is corrected; entries applied since then still count.
  StateHash.minus(applied.hash, clone.hash)
  StateHash.plus(applied.hash, found)
  return false
}

const speculate = (machine: Machine.Machine, entry: LogEntry): void => {
  invariant(machine.speculative !== undefined, "speculated without speculation")
  const transaction = entry.type === "transaction" ? Machine.decoded(machine, entry) : undefined
  if (transaction !== undefined) evolve(machine.speculative, { index: entry.index, transaction })
  Evidence.extend(machine.speculative, { ...entry, transaction })
}
