import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import type { Propose } from "../../../src/Raft/core/Input.ts"
import type { Output, ProposalResult } from "../../../src/Raft/core/Output.ts"
import { defaults } from "../../../src/Raft/core/RaftConfig.ts"
import { make } from "../../../src/Raft/core/State.ts"
import * as CommandQueue from "../../../src/Raft/node/CommandQueue.ts"
import { decideBatch, mayDecide } from "../../../src/Raft/node/decideBatch.ts"
import type { StateMachine } from "../../../src/Raft/node/StateMachine.ts"
import * as WaitingReads from "../../../src/Raft/node/WaitingReads.ts"
import { configurationOf } from "../core/Cores.ts"

/** A register that refuses a value it already holds; what it decided is in `speculative` until it is dropped. */
const register = () => {
  let speculative: Array<string> = []
  const machine: StateMachine<string, string> = {
    beginSpeculation: (unapplied) => {
      speculative = unapplied.map((entry) => new TextDecoder().decode(entry.payload))
    },
    dropSpeculation: () => {
      speculative = []
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
    decide: (command) => {
      if (speculative.includes(command)) return { result: `${command} is taken`, entry: undefined }
      speculative.push(command)
      return { result: `${command} is yours`, entry: { payload: new TextEncoder().encode(command) } }
    },
    apply: () => {},
    snapshot: () => ({ content: [] }),
    restoring: () => ({ take: () => {}, end: () => Result.void })
  }
  return { machine, speculative: () => speculative }
}

/** A leader of term 2 whose no-op, at index 1, is applied or not. */
const leader = (lastApplied: number) => {
  const core = make({
    config: defaults,
    nodeId: "a",
    instanceId: "ia",
    life: 1,
    configurations: [{ index: 0, configuration: configurationOf(["a"]) }],
    recovered: {
      hardState: { currentTerm: 2, votedFor: "a" },
      firstIndex: 1,
      lastIndex: 1,
      termRuns: [{ fromIndex: 1, term: 2 }]
    }
  })
  core.commitIndex = lastApplied
  core.lastApplied = lastApplied
  core.role = {
    _tag: "Leader",
    progress: new Map(),
    noopIndex: 1,
    reads: { rounds: [] } as never,
    beats: [],
    uncommittedBytes: 0,
    transfer: undefined,
    hasYielded: false,
    heartbeatDueMs: 0,
    lastMove: { index: 0, sinceMs: 0, isTold: false }
  }
  return core
}

const accept = (batch: Propose): ProposalResult => ({
  _tag: "Accepted",
  firstIndex: batch.lastIndex + 1,
  lastIndex: batch.lastIndex + batch.entries.length
})

const never = () => false

describe("Leading", () => {
  it("a leader decides nothing before its own no-op is applied (diss. 6.4)", () => {
    assert.isFalse(mayDecide(leader(0)))
    const { machine, speculative } = register()
    const decided = decideBatch({
      core: leader(0),
      machine,
      pending: [{ command: "x", waiter: 1 }],
      nowMs: 0,
      isOver: never,
      propose: accept
    })
    assert.deepStrictEqual(decided, {
      appended: [],
      answered: [],
      refused: [{ waiter: 1, reason: "no-quorum" }],
      takenCount: 1
    })
    assert.deepStrictEqual(speculative(), [])
  })

  it("each command of a batch is decided on those before it, and an answer names the index it rests on", () => {
    const { machine } = register()
    const batches: Array<Propose> = []
    const decided = decideBatch({
      core: leader(1),
      machine,
      pending: [
        { command: "x", waiter: 1 },
        { command: "x", waiter: 2 },
        { command: "y", waiter: 3 }
      ],
      nowMs: 0,
      isOver: never,
      propose: (batch) => {
        batches.push(batch)
        return accept(batch)
      }
    })
    assert.deepStrictEqual(decided.appended, [
      { waiter: 1, answered: { index: 2, result: "x is yours" } },
      { waiter: 3, answered: { index: 3, result: "y is yours" } }
    ])
    assert.deepStrictEqual(decided.answered, [{ waiter: 2, onIndex: 2, result: "x is taken" }])
    assert.deepStrictEqual(
      batches.map((batch) => [batch.term, batch.lastIndex, batch.entries.length]),
      [[2, 1, 2]]
    )
  })

  it("appends what the machine opens with before what it decides, and counts it (C24)", () => {
    const { machine } = register()
    const batches: Array<Propose> = []
    const decided = decideBatch({
      core: leader(1),
      machine: { ...machine, opening: ({ index }) => new TextEncoder().encode(`opens ${index}`) },
      pending: [{ command: "x", waiter: 1 }],
      nowMs: 0,
      isOver: never,
      propose: (batch) => {
        batches.push(batch)
        return accept(batch)
      }
    })
    assert.deepStrictEqual(decided.appended, [{ waiter: 1, answered: { index: 3, result: "x is yours" } }])
    assert.deepStrictEqual(
      batches.flatMap(({ entries }) => entries.map(({ payload }) => new TextDecoder().decode(payload))),
      ["opens 2", "x"]
    )
  })

  it("what comes once the room for uncommitted bytes is used up is refused undecided (D2)", () => {
    const { machine, speculative } = register()
    const core = leader(1)
    const decided = decideBatch({
      core: { ...core, config: { ...core.config, uncommittedBytes: 3 } },
      machine,
      pending: ["ab", "cd", "ef", "ab"].map((command) => ({ command, waiter: command })),
      nowMs: 0,
      isOver: never,
      propose: accept
    })
    assert.deepStrictEqual(
      decided.appended.map(({ waiter }) => waiter),
      ["ab", "cd"]
    )
    assert.deepStrictEqual(decided.refused, [
      { waiter: "ef", reason: "overloaded" },
      { waiter: "ab", reason: "overloaded" }
    ])
    assert.deepStrictEqual(speculative(), ["ab", "cd"])
  })

  it("a batch whose time is over leaves the rest for another, decided or refused alone, and takes at least one", () => {
    const { machine } = register()
    const options = {
      core: leader(1),
      machine,
      pending: ["x", "y", "z"].map((command) => ({ command, waiter: command })),
      nowMs: 0,
      isOver: () => true
    }
    const accepted = decideBatch({ ...options, propose: accept })
    assert.deepStrictEqual(accepted.appended, [{ waiter: "x", answered: { index: 2, result: "x is yours" } }])
    assert.deepStrictEqual([accepted.refused, accepted.takenCount], [[], 1])
    const { machine: fresh } = register()
    const refused = decideBatch({ ...options, machine: fresh, propose: () => ({ _tag: "Refused", reason: "stale" }) })
    assert.deepStrictEqual(refused.refused, [{ waiter: "x", reason: "no-quorum" }])
    assert.strictEqual(refused.takenCount, 1)
  })

  it("a refused batch is refused as a whole, answers that rest on it too, and its speculation is forgotten", () => {
    const { machine, speculative } = register()
    const decided = decideBatch({
      core: leader(1),
      machine,
      pending: [
        { command: "x", waiter: 1 },
        { command: "x", waiter: 2 }
      ],
      nowMs: 0,
      isOver: never,
      propose: () => ({ _tag: "Refused", reason: "overloaded" })
    })
    assert.deepStrictEqual(decided.refused, [
      { waiter: 1, reason: "overloaded" },
      { waiter: 2, reason: "overloaded" }
    ])
    assert.deepStrictEqual([decided.appended, decided.answered, speculative()], [[], [], []])
  })

  it("a command that is given up within the answer of another one is never proposed (C18)", () => {
    const { machine } = register()
    const deciding = CommandQueue.make(machine)
    const proposed: Array<string> = []
    const decide = (uncommittedBytes: number) => {
      const core = leader(1)
      CommandQueue.decide(deciding, {
        core: { ...core, config: { ...core.config, uncommittedBytes } },
        reads: WaitingReads.make(),
        appliedIndex: 1,
        nowMs: 0,
        isOver: () => uncommittedBytes === 0,
        run: (input) => {
          assert(input._tag === "Propose")
          proposed.push(...input.entries.map(({ payload }) => new TextDecoder().decode(payload)))
          return { proposal: accept(input) } as Output
        }
      })
    }
    CommandQueue.submit(deciding, "x", () => CommandQueue.forget(deciding, given))
    const given = CommandQueue.submit(deciding, "y", () => assert.fail("it was given up"))
    CommandQueue.submit(deciding, "z", () => {})
    // The first is refused, and the time of the batch is over.
    decide(0)
    decide(100)
    assert.deepStrictEqual(proposed, ["z"])
  })
})
