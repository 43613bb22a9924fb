/** One shell among peers that the test plays: what it sends is kept, what it writes is synced when the test says so. */
import { Effect, Exit, Fiber, Latch, Layer, Result } from "effect"
import { TestClock } from "effect/testing"
import type { LogWrite } from "../../../src/EventStore/LogEntry.ts"
import { type LogCorrupt, type LogFailed, LogStore } from "../../../src/EventStore/LogStore.ts"
import { layerMemory as layerMemoryLog } from "../../../src/EventStore/MemoryLog.ts"
import { layerMemory as layerMemorySnapshots } from "../../../src/EventStore/Snapshots.ts"
import type { Message, NodeId } from "../../../src/Raft/core/Message.ts"
import { defaults, type RaftConfig } from "../../../src/Raft/core/RaftConfig.ts"
import type { Answered } from "../../../src/Raft/node/Answered.ts"
import { make as makeRaftNode } from "../../../src/Raft/node/makeRaftNode.ts"
import type { NotDone, UnknownOutcome } from "../../../src/Raft/node/Outcome.ts"
import type { RaftNode } from "../../../src/Raft/node/RaftNode.ts"
import { outcomeOf } from "../../../src/Raft/node/Settle.ts"
import type { StateMachine } from "../../../src/Raft/node/StateMachine.ts"
import type { PeerMessage } from "../../../src/Raft/peers/PeerMessage.ts"
import { Transport } from "../../../src/Raft/peers/Transport.ts"
import { configurationOf, member } from "../core/Cores.ts"

export const voters = ["a", "b", "c"]

/** A set of names: a name is taken once, and a second claim of it is an answer that appends nothing. */
export const names = () => {
  const state = {
    applied: [] as Array<string>,
    speculative: [] as Array<string>,
    speculationsCount: 0,
    /** Something that happens while the next command is decided. */
    meanwhile: undefined as (() => void) | undefined
  }
  const text = (payload: Uint8Array) => new TextDecoder().decode(payload)
  const machine: StateMachine<string, string> = {
    beginSpeculation: (unapplied) => {
      state.speculationsCount += 1
      const ahead = unapplied.filter(({ type }) => type === "transaction").map(({ payload }) => text(payload))
      state.speculative = [...state.applied, ...ahead]
    },
    dropSpeculation: () => {
      state.speculative = []
    },
    opening: () => undefined,
    hash: () => new Uint32Array(4),
    hashDefinition: 1,
    auditing: () => ({ next: () => ({ done: true, value: true }) }),
    rebuilding: () => ({
      restoring: () => ({ take: () => {}, end: () => Result.void }),
      apply: () => {},
      end: () => {}
    }),
    decide: (name) => {
      state.meanwhile?.()
      state.meanwhile = undefined
      if (name === "defect") throw new Error("a defect of decide")
      if (state.speculative.includes(name)) return { result: `${name} is taken`, entry: undefined }
      state.speculative.push(name)
      return { result: `${name} is yours`, entry: { payload: new TextEncoder().encode(name) } }
    },
    apply: (entry) => {
      if (entry.type === "transaction") state.applied.push(text(entry.payload))
    },
    snapshot: () => ({ content: [new TextEncoder().encode(state.applied.join("\n"))] }),
    restoring: () => {
      let taken = ""
      return {
        take: (bytes) => {
          taken += text(bytes)
        },
        end: () => {
          state.applied = taken === "" ? [] : taken.split("\n")
          return Result.void
        }
      }
    }
  }
  return { machine, state }
}

/** A log in memory whose writes wait while `disk` is closed, and fail while `failure` is set. */
const makeLog = () => {
  const log = {
    entries: [] as Array<LogWrite["entries"][number]>,
    disk: Latch.makeUnsafe(true),
    failure: undefined as LogFailed | undefined,
    readFailure: undefined as LogFailed | LogCorrupt | undefined
  }
  const write = (writes: ReadonlyArray<LogWrite>) => {
    for (const { truncateFromIndex, entries } of writes) {
      if (truncateFromIndex !== undefined) log.entries.length = truncateFromIndex - 1
      log.entries.push(...entries)
    }
  }
  const store = LogStore.of({
    recovered: { hardState: { currentTerm: 0, votedFor: undefined }, firstIndex: 1, lastIndex: 0, termRuns: [] },
    repaired: Effect.void,
    append: (writes) =>
      Effect.suspend(() => {
        if (log.failure !== undefined) return Effect.fail(log.failure)
        write(writes)
        return log.disk.await
      }),
    // As long as nothing keeps the disk from it.
    appendNow: (writes, done) => {
      if (log.failure !== undefined || !log.disk.isOpen()) return false
      write(writes)
      done(Exit.void)
      return true
    },
    read: ({ fromIndex, toIndex }) =>
      Effect.suspend(() =>
        log.readFailure === undefined
          ? Effect.succeed(log.entries.slice(fromIndex - 1, toIndex))
          : Effect.fail(log.readFailure)
      )
  })
  return { log, store }
}

/** {@link RaftNode.submit} as an Effect. */
export const submit = <Command, Answer>(
  node: Pick<RaftNode<Command, Answer>, "submit">,
  command: Command,
  timeoutMs: number
) => outcomeOf<Answered<Answer>, NotDone | UnknownOutcome>((settle) => node.submit(command, timeoutMs, settle))

/** {@link RaftNode.readIndex} as an Effect. */
export const readIndex = (node: Pick<RaftNode<never, never>, "readIndex">, timeoutMs: number) =>
  outcomeOf<number, NotDone>((settle) => node.readIndex(timeoutMs, settle))

/** Node `a`, on the test's clock. */
export const startShell = Effect.fnUntraced(function* (config: Partial<RaftConfig> = {}) {
  const sent: Array<{ readonly to: NodeId; readonly message: PeerMessage }> = []
  /** Whose queues are full: what is for them is not taken. */
  const full = new Set<NodeId>()
  const { machine, state } = names()
  const { log, store } = makeLog()
  const transport = Transport.of({
    join: () => Effect.never,
    flush: () => {},
    send: (to, _lane, message) => !full.has(to) && sent.push({ to, message }) > 0,
    run: () => Effect.never,
    connected: () => new Map(),
    introduced: () => new Map(),
    trouble: () => undefined,
    announce: () => Effect.void
  })
  const node = yield* makeRaftNode({
    nodeId: "a",
    instanceId: member("a").instanceId,
    life: 1,
    configurations: [{ index: 0, configuration: configurationOf(voters) }],
    config: { ...defaults, ...config },
    machine
  }).pipe(
    Effect.provide(
      Layer.mergeAll(
        Layer.merge(layerMemoryLog, Layer.succeed(LogStore, store)),
        Layer.succeed(Transport, transport),
        layerMemorySnapshots
      )
    )
  )
  const receive = (from: NodeId, message: Message) =>
    Effect.andThen(
      Effect.sync(() => node.receive(from, message)),
      turns
    )
  return { node, names: state, log, sent, full, receive }
})
export type Shell = Effect.Success<ReturnType<typeof startShell>>

/** Lets every fiber run until it waits, without any time passing. */
export const turns = Effect.yieldNow.pipe(Effect.repeat({ times: 50 }), Effect.asVoid)

/** Time passes a tick at a time, as it does for a process that is not paused. */
export const pass = (ms: number) =>
  TestClock.adjust("10 millis").pipe(Effect.andThen(turns), Effect.repeat({ times: ms / 10 }), Effect.asVoid)

/** Follower `b` holds all that the leader holds, and says so. */
export const acknowledge = Effect.fnUntraced(function* ({ node, receive }: Shell) {
  const { currentTerm: term, log } = node.core
  const matchIndex = log.lastIndex
  yield* receive("b", { _tag: "AppendEntriesReply", term, prevLogIndex: 0, result: { _tag: "Matched", matchIndex } })
})

/** Follower `b` answers the latest beat. */
export const echo = Effect.fnUntraced(function* ({ node, receive }: Shell) {
  const { currentTerm: term, readNumber } = node.core
  yield* receive("b", { _tag: "HeartbeatReply", term, readNumber })
})

/** Makes the shell's node lead, its no-op applied. */
export const lead = Effect.fnUntraced(function* (shell: Shell) {
  const { node, receive } = shell
  while (node.core.role._tag !== "PreCandidate") yield* pass(10)
  const term = node.core.currentTerm + 1
  yield* receive("b", { _tag: "RequestVoteReply", term, preVote: true, granted: true })
  yield* receive("b", { _tag: "RequestVoteReply", term, preVote: false, granted: true })
  yield* acknowledge(shell)
})

/** `b` leads the next term, and has put its own no-op, committed, behind entry `afterIndex` of this leader's log. */
export const deposing = ({ node }: Shell, afterIndex: number): Message => {
  const term = node.core.currentTerm
  return {
    _tag: "AppendEntries",
    term: term + 1,
    prevLogIndex: afterIndex,
    prevLogTerm: term,
    entries: [{ index: afterIndex + 1, term: term + 1, type: "noop", payload: new Uint8Array(0) }],
    leaderCommit: afterIndex + 1
  }
}

/** Starts `effect`, and gives what it came to once it is over. */
export const begin = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkScoped(Effect.result(effect))
    yield* turns
    return { settled: () => fiber.pollUnsafe(), join: Fiber.join(fiber) }
  })
