/** What one shell answers, and when, whatever its peers, its disk and its machine do. On the test's clock. */
import { assert, describe, it } from "@effect/vitest"
import { Cause, Clock, Effect, Exit } from "effect"
import { LogCorrupt, LogFailed } from "../../../src/EventStore/LogStore.ts"
import type { NotDone, UnknownOutcome } from "../../../src/Raft/node/Outcome.ts"
import {
  acknowledge,
  begin,
  deposing,
  echo,
  lead,
  pass,
  readIndex,
  type Shell,
  startShell,
  submit,
  turns
} from "./Shell.ts"

const failed = new LogFailed({ message: "the disk failed" })

/** What an attempt came to, which must be known by now. */
const outcomeOf = (attempt: Effect.Success<ReturnType<typeof begin>>): string => {
  const exit = attempt.settled()
  if (exit === undefined || Exit.isFailure(exit)) return "not settled"
  const { value } = exit
  return value._tag === "Success" ? "Success" : (value.failure as { readonly _tag: string })._tag
}

/** Follower `c` says that it holds nothing, so that the leader must read for it what its memory holds no more. */
const fallBehind = ({ node, receive }: Shell) => {
  const { currentTerm: term } = node.core
  const result = { _tag: "Conflict", conflictTerm: 0, firstIndex: 1 } as const
  return Effect.andThen(
    receive("c", { _tag: "AppendEntriesReply", term, prevLogIndex: 0, result }),
    receive("c", { _tag: "AppendEntriesReply", term, prevLogIndex: 0, result: { _tag: "Matched", matchIndex: 0 } })
  )
}

describe("RaftNode, one shell", () => {
  it.effect("a rejection that rests on an entry which is never committed is not given (D2)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const first = yield* begin(submit(shell.node, "x", 2000))
      const second = yield* begin(submit(shell.node, "x", 2000))
      assert.strictEqual(shell.node.core.log.lastIndex, 2)
      // Its leadership is confirmed after the decision, but entry 2 is not on a quorum yet.
      yield* echo(shell)
      yield* shell.receive("b", deposing(shell, 1))
      assert.deepStrictEqual(shell.names.applied, [])
      for (const attempt of [first, second]) {
        const outcome = yield* attempt.join
        assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "NotDone")
      }
    })
  )

  it.effect("a rejection of a leader deposed unawares is not confirmed by its successor (D2)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const first = yield* begin(submit(shell.node, "x", 2000))
      yield* acknowledge(shell)
      assert.strictEqual((yield* first.join)._tag, "Success")
      // The message that ends the leadership comes when the command is decided, and is read before anything else.
      const message = deposing(shell, 2)
      shell.names.meanwhile = () => shell.node.receive("b", message)
      const second = yield* begin(submit(shell.node, "x", 2000))
      assert.strictEqual(shell.node.core.role._tag, "Follower")
      const asked = shell.sent.find(({ message }) => message._tag === "ReadIndex")
      assert.strictEqual(asked, undefined)
      const outcome = yield* second.join
      assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "NotDone")
    })
  )

  it.effect("a leader whose disk stalls steps down, and may lead again once the write is over (C20)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      yield* shell.log.disk.close
      const write = yield* begin(submit(shell.node, "x", 2000))
      for (let beats = 0; beats < 30; beats++) yield* Effect.andThen(pass(50), echo(shell))
      assert.strictEqual(shell.node.core.role._tag, "Follower")
      assert.isTrue(shell.node.core.diskStalled)
      assert.strictEqual(outcomeOf(yield* begin(readIndex(shell.node, 2500))), "NotDone")
      yield* shell.log.disk.open
      yield* pass(10)
      assert.isFalse(shell.node.core.diskStalled)
      yield* pass(1000)
      assert.strictEqual(outcomeOf(write), "UnknownOutcome")
      assert.strictEqual(shell.node.core.role._tag, "PreCandidate")
    })
  )

  it.effect("a wall clock that jumps, to and fro, makes no time pass for an election (C19)", () =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      let jumpMs = 0
      const wallMs = () => clock.currentTimeMillisUnsafe() + jumpMs
      const wallNanos = () => BigInt(Math.round(wallMs())) * 1_000_000n
      const jumping: Clock.Clock = {
        ...clock,
        currentTimeMillisUnsafe: wallMs,
        currentTimeMillis: Effect.sync(wallMs),
        currentTimeNanosUnsafe: wallNanos,
        currentTimeNanos: Effect.sync(wallNanos)
      }
      const { node } = yield* Effect.provideService(startShell(), Clock.Clock, jumping)
      for (let ticks = 0; ticks < 14; ticks++) {
        jumpMs += 3_600_000
        yield* pass(10)
      }
      assert.strictEqual(node.core.role._tag, "Follower")
      for (let ticks = 0; ticks < 20; ticks++) {
        jumpMs -= 7_200_000
        yield* pass(10)
      }
      assert.strictEqual(node.core.role._tag, "PreCandidate")
    })
  )

  it.effect("a disk that fails ends the node: what was proposed is unknown, and nothing waits for ever (D9)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const stopped = yield* begin(shell.node.stopped)
      const read = yield* begin(readIndex(shell.node, 2500))
      shell.log.failure = failed
      const write = yield* begin(submit(shell.node, "x", 2000))
      assert.strictEqual(outcomeOf(stopped), "LogFailed")
      assert.strictEqual(outcomeOf(write), "UnknownOutcome")
      assert.strictEqual(outcomeOf(read), "NotDone")
      assert.strictEqual(outcomeOf(yield* begin(submit(shell.node, "y", 2000))), "NotDone")
      assert.strictEqual(outcomeOf(yield* begin(readIndex(shell.node, 2500))), "NotDone")
    })
  )

  it.effect("a node that is to stop tells all who wait what is certain: what was proposed is unknown (C18)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const proposed = yield* begin(submit(shell.node, "x", 2000))
      const copy = yield* begin(submit(shell.node, "x", 2000))
      const read = yield* begin(readIndex(shell.node, 2500))
      shell.node.giveUp()
      yield* turns
      assert.deepStrictEqual([proposed, copy, read].map(outcomeOf), ["UnknownOutcome", "NotDone", "NotDone"])
      const refused = yield* copy.join
      assert.include(refused._tag === "Failure" && refused.failure.message, "Cannot write")
      for (const later of [submit(shell.node, "y", 2000), readIndex(shell.node, 2500)]) {
        const outcome = yield* (yield* begin<unknown, NotDone | UnknownOutcome>(later)).join
        assert.strictEqual(
          outcome._tag === "Failure" && outcome.failure._tag === "NotDone" && outcome.failure.reason,
          "draining"
        )
      }
      // It is committed all the same.
      yield* acknowledge(shell)
      assert.deepStrictEqual(shell.names.applied, ["x"])
    })
  )

  it.effect("a command whose time is over is unknown if it was proposed, and otherwise never proposed (C18)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const proposed = yield* begin(submit(shell.node, "x", 100))
      yield* pass(50)
      // No turn comes between this submission and its deadline.
      const settled: Array<string> = []
      shell.node.submit("y", 0, (exit) => settled.push(Exit.isFailure(exit) ? "failed" : "done"))
      const left = yield* begin(submit(shell.node, "z", 100))
      yield* pass(60)
      assert.strictEqual(outcomeOf(proposed), "UnknownOutcome")
      assert.strictEqual(outcomeOf(left), "not settled")
      yield* acknowledge(shell)
      assert.strictEqual(outcomeOf(left), "Success")
      assert.deepStrictEqual([shell.names.applied, settled], [["x", "z"], ["failed"]])
    })
  )

  it.effect("a command whose caller gives up before the next turn is never proposed, and nobody is told (C18)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const settled: Array<unknown> = []
      const forget = shell.node.submit("x", 2000, (exit) => settled.push(exit))
      forget()
      const forgetRead = shell.node.readIndex(2000, (exit) => settled.push(exit))
      forgetRead()
      yield* Effect.andThen(pass(50), echo(shell))
      assert.strictEqual(shell.node.core.log.lastIndex, 1)
      assert.deepStrictEqual(settled, [])
    })
  )

  it.effect("a read that a node cannot serve in time is refused", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const read = yield* begin(readIndex(shell.node, 100))
      yield* pass(110)
      const outcome = yield* read.join
      assert.include(outcome._tag === "Failure" && outcome.failure.message, "too far behind")
    })
  )

  it.effect("a defect ends the node, and says of no command that it is not done which it may have proposed (C18)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const stopped = yield* begin(Effect.exit(shell.node.stopped))
      const write = yield* begin(submit(shell.node, "defect", 2000))
      assert.strictEqual(outcomeOf(write), "UnknownOutcome")
      const exit = yield* stopped.join
      assert.isTrue(exit._tag === "Success" && Exit.isFailure(exit.success) && Cause.hasDies(exit.success.cause))
    })
  )

  it.effect("a defect between two turns ends the node, and the caller that met it learns of it", () =>
    Effect.gen(function* () {
      const { node } = yield* startShell()
      const stopped = yield* begin(Effect.exit(node.stopped))
      const damaged = Object.defineProperty(node.core, "role", {
        configurable: true,
        get: () => {
          throw new Error("a broken invariant")
        }
      })
      assert.isTrue(Exit.hasDies(yield* Effect.exit(node.transferLeadership("b"))))
      Reflect.deleteProperty(damaged, "role")
      const exit = yield* stopped.join
      assert.isTrue(exit._tag === "Success" && Exit.hasDies(exit.success))
      assert.strictEqual((yield* Effect.flip(node.transferLeadership("b")))._tag, "NotDone")
    })
  )

  it.effect("a log that cannot be read for a peer now is read for it later", () =>
    Effect.gen(function* () {
      const shell = yield* startShell({ cacheBytes: 0 })
      yield* lead(shell)
      const write = yield* begin(submit(shell.node, "x", 2000))
      yield* acknowledge(shell)
      assert.strictEqual(outcomeOf(write), "Success")
      shell.log.readFailure = failed
      yield* fallBehind(shell)
      shell.log.readFailure = undefined
      shell.sent.length = 0
      yield* pass(100)
      const entries = shell.sent.flatMap(({ to, message }) =>
        to === "c" && message._tag === "AppendEntries" ? message.entries : []
      )
      assert.deepStrictEqual([...new Set(entries.map(({ index }) => index))], [1, 2])
    })
  )

  it.effect("entries for which a queue was full are sent two beats later, not an election timeout later", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const { currentTerm: term } = shell.node.core
      const holds = (matchIndex: number) =>
        shell.receive("c", {
          _tag: "AppendEntriesReply",
          term,
          prevLogIndex: 0,
          result: { _tag: "Matched", matchIndex }
        })
      yield* holds(1)
      shell.full.add("c")
      yield* begin(submit(shell.node, "x", 2000))
      yield* turns
      shell.full.clear()
      shell.sent.length = 0
      yield* pass(50)
      const toC = () => shell.sent.flatMap(({ message, to }) => (to === "c" ? [message] : []))
      assert.isTrue(toC().some((message) => message._tag === "AppendEntries" && message.prevLogIndex === 1))
      yield* holds(1)
      assert.isTrue(toC().some((message) => message._tag === "AppendEntries" && message.entries.length === 1))
    })
  )

  it.effect("a peer that can be reached again is sent what it lacks at once", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      shell.node.peerDown("c")
      yield* turns
      shell.sent.length = 0
      shell.node.peerReachable("c")
      yield* turns
      assert.deepStrictEqual(
        shell.sent.map(({ message, to }) => `${message._tag} ${to}`),
        ["AppendEntries c"]
      )
    })
  )

  it.effect("damage met while a peer is served ends the node", () =>
    Effect.gen(function* () {
      const shell = yield* startShell({ cacheBytes: 0 })
      yield* lead(shell)
      const stopped = yield* begin(shell.node.stopped)
      yield* begin(submit(shell.node, "x", 2000))
      yield* acknowledge(shell)
      shell.log.readFailure = new LogCorrupt({ message: "damaged", file: "f", offset: 0, index: 1 })
      yield* fallBehind(shell)
      yield* turns
      assert.strictEqual(outcomeOf(stopped), "LogCorrupt")
    })
  )

  it.effect("an overloaded leader refuses, and keeps what it decided ahead", () =>
    Effect.gen(function* () {
      const shell = yield* startShell({ uncommittedBytes: 2 })
      yield* lead(shell)
      const writes = yield* Effect.forEach(["x", "y"], (name) => begin(submit(shell.node, name, 2000)))
      assert.strictEqual(outcomeOf(yield* begin(submit(shell.node, "z", 2000))), "NotDone")
      yield* acknowledge(shell)
      assert.deepStrictEqual(writes.map(outcomeOf), ["Success", "Success"])
      const taken = yield* begin(submit(shell.node, "y", 2000))
      yield* echo(shell)
      assert.strictEqual(outcomeOf(taken), "Success")
      assert.strictEqual(shell.names.speculationsCount, 1)
    })
  )

  it.effect("reads that begin together share one round (C6)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const { readNumber } = shell.node.core
      const reads = yield* Effect.forEach([1, 2, 3], () => Effect.forkScoped(readIndex(shell.node, 2500)))
      yield* turns
      assert.strictEqual(shell.node.core.readNumber, readNumber + 1)
      yield* echo(shell)
      for (const read of reads) assert.isTrue(read.pollUnsafe() !== undefined)
    })
  )

  it.effect(
    "a lease that ended while the process was paused is found out by the clock, and the read takes a round (C7)",
    () =>
      Effect.gen(function* () {
        const clock = yield* Clock.Clock
        let pausedNanos = 0n
        const monotonicTimeNanosUnsafe = () => clock.monotonicTimeNanosUnsafe() + pausedNanos
        const paused: Clock.Clock = {
          ...clock,
          monotonicTimeNanosUnsafe,
          monotonicTimeNanos: Effect.sync(monotonicTimeNanosUnsafe)
        }
        yield* Effect.gen(function* () {
          const shell = yield* startShell({ readLease: { driftBoundMs: 20 } })
          yield* lead(shell)
          yield* pass(50)
          yield* echo(shell)
          const beats = () => shell.sent.filter(({ message }) => message._tag === "Heartbeat").length
          const beatsCount = beats()
          assert.strictEqual(outcomeOf(yield* begin(readIndex(shell.node, 2500))), "Success")
          assert.strictEqual(beats(), beatsCount, "a read under a lease sends nothing")
          // No tick has seen it yet: as far as the core knows, the lease holds.
          pausedNanos = 1_000_000_000n
          const read = yield* begin(readIndex(shell.node, 2500))
          assert.strictEqual(outcomeOf(read), "not settled")
          assert.isAbove(beats(), beatsCount)
          yield* echo(shell)
          assert.strictEqual(outcomeOf(read), "Success")
        }).pipe(Effect.provideService(Clock.Clock, paused))
      })
  )

  it.effect("a change of the members is answered in the turn that commits it (§6)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const change = { _tag: "Remove", id: "c" } as const
      const asked = yield* begin(shell.node.changeMembers({ change, force: true }, 5_000))
      yield* acknowledge(shell)
      assert.strictEqual(outcomeOf(asked), "not settled", "the joint configuration is in force")
      yield* acknowledge(shell)
      assert.strictEqual(outcomeOf(asked), "Success")
    })
  )

  it.effect("a hand-over is over in the turn in which another node leads (diss. 3.10)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const handingOver = yield* begin(shell.node.handOver)
      assert.strictEqual(outcomeOf(handingOver), "not settled")
      yield* shell.receive("b", deposing(shell, shell.node.core.log.lastIndex))
      assert.strictEqual(outcomeOf(handingOver), "Success")
    })
  )
})
