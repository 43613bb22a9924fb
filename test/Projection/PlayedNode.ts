/** A node of its own cluster that the test plays: what it decides is in its log, and applied when the test says so. */
import { Effect, Option, Semaphore } from "effect"
import * as Feed from "../../src/Cluster/Feed.ts"
import { History } from "../../src/EventStore/History.ts"
import { LogSpace } from "../../src/EventStore/LogSpace.ts"
import { LogStore } from "../../src/EventStore/LogStore.ts"
import type { Command } from "../../src/Machine/Command.ts"
import { erasuresOf } from "../../src/Machine/Erasure.ts"
import * as Machine from "../../src/Machine/Machine.ts"
import { type Described, describe } from "../../src/Model.ts"
import * as RaftLog from "../../src/Raft/core/RaftLog.ts"

/** On the log of its context. Its commands get ids `1`, `2` and so on, and its time passes a millisecond an entry. */
export const playNode = Effect.fnUntraced(function* (models: ReadonlyArray<Described>) {
  const store = yield* LogStore
  const space = yield* LogSpace
  const history = Option.match(yield* Effect.serviceOption(History), {
    onNone: () => () => [],
    onSome: ({ ranges }) => ranges
  })
  const machine = Machine.make(models.map(describe))
  Machine.beginSpeculation(machine)
  const log = RaftLog.fromRecovered(store.recovered)
  let appliedIndex = 0
  const oneAtATime = yield* Semaphore.make(1)
  let ids = 0

  const append = Effect.fnUntraced(function* (entry: RaftLog.RaftLog["window"][number]) {
    yield* store.append([{ entries: [entry] }])
    RaftLog.append(log, entry)
  })

  /** Its life until the next {@link start}: whoever followed the last one's feed hears no more of it. */
  let life = Feed.make()
  const start = (options: { readonly isWarm: boolean }): Feed.Feed => {
    life = Feed.make()
    const memory = options.isWarm ? log : { ...log, window: [], windowFirstIndex: log.lastIndex + 1 }
    life.open({
      log: memory,
      read: store.read,
      firstIndex: space.firstIndex,
      retainedFrom: () => 0,
      erasures: () => erasuresOf(machine.applied),
      restored: () => undefined,
      history,
      appliedIndex: () => appliedIndex
    })
    return life.feed
  }

  const applyAll = Effect.sync(() => {
    appliedIndex = log.lastIndex
    life.advanced()
  })

  return {
    /** Reads recent entries from memory if it is warm, and all of them from the store otherwise. */
    start,
    log,
    /** A leader's first entry. */
    lead: Effect.suspend(() => append({ index: log.lastIndex + 1, term: 1, type: "noop", payload: new Uint8Array(0) })),
    /** Decides, and writes; applies nothing. */
    write: (command: Command) =>
      Effect.suspend(() => {
        const index = log.lastIndex + 1
        const { entry, result } = Machine.decideNext(machine, command, {
          index,
          nowMs: index,
          newId: () => String(++ids)
        })
        if (entry === undefined) return Effect.die(new Error(`It was not done: ${JSON.stringify(result)}`))
        return append({ index, term: 1, type: "transaction", payload: entry.payload })
      }),
    /** Decides, writes what it comes to, and applies that: what a leader with an agreeing cluster answers. */
    submit: (command: Command) =>
      Effect.gen(function* () {
        const index = log.lastIndex + 1
        const { entry, result } = Machine.decideNext(machine, command, {
          index,
          nowMs: index,
          newId: () => String(++ids)
        })
        if (entry !== undefined) yield* append({ index, term: 1, type: "transaction", payload: entry.payload })
        yield* applyAll
        return result._tag === "Logged" ? yield* Effect.die(new Error("No key was given")) : { index, result }
      }).pipe(oneAtATime.withPermits(1)),
    /** What its machine holds: all that is written. */
    tables: () => machine.speculative ?? machine.applied,
    /** Applies what is written, through this index at most. */
    apply: (throughIndex: number = Number.POSITIVE_INFINITY) =>
      Effect.sync(() => {
        appliedIndex = Math.min(throughIndex, log.lastIndex)
        life.advanced()
      }),
    /** Lets go of history, as a node does whose retention is short (§7). */
    compact: (throughIndex: number) =>
      Effect.gen(function* () {
        yield* store.append([{ snapshot: { index: throughIndex, term: 1 }, entries: [] }])
        yield* space.compact({ throughIndex })
        RaftLog.compact(log, throughIndex)
      })
  }
})
