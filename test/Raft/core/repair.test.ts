/**
 * Repair of a damaged log from the leader's: what the node and its leader say and count meanwhile, and when it is over.
 * C26.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Election from "../../../src/Raft/core/Election.ts"
import type { Message, NodeId } from "../../../src/Raft/core/Message.ts"
import * as RaftLog from "../../../src/Raft/core/RaftLog.ts"
import type { Leader, State } from "../../../src/Raft/core/State.ts"
import { membersStatus } from "../../../src/Raft/core/Status.ts"
import { step } from "../../../src/Raft/core/step.ts"
import { cluster, core, elect, entry, live, pass, payload, receive, sent, settle, sync } from "./Cores.ts"

const names = ["a", "b", "c"]
const nonce = 9

/** A node whose log was cut after entries of `terms`. It has not heard of any leader since. */
const damaged = (
  nodeId: NodeId,
  disk: { readonly terms?: ReadonlyArray<number>; readonly currentTerm: number; readonly votedFor?: NodeId }
): State => core(nodeId, names, { ...disk, life: nonce, isRepairing: true })

const beat = (term: number, leaderCommit: number, matchIndex: number): Message => ({
  _tag: "Heartbeat",
  term,
  leaderCommit,
  matchIndex,
  lastContactMs: 10,
  readNumber: 3
})

const append = (term: number, prevLogIndex: number, prevLogTerm: number, terms: ReadonlyArray<number>): Message => ({
  _tag: "AppendEntries",
  term,
  prevLogIndex,
  prevLogTerm,
  entries: terms.map((each, at) => entry(prevLogIndex + 1 + at, each)),
  leaderCommit: 0
})

const named = (term: number, throughIndex: number, of = nonce): Message => ({
  _tag: "RepairReply",
  term,
  nonce: of,
  throughIndex
})

const asks = (term: number): Message => ({ _tag: "Repair", term, nonce, answer: undefined })

const leads = (state: State): Leader => {
  if (state.role._tag !== "Leader") throw new Error(`${state.nodeId} does not lead`)
  return state.role
}

describe("a node that repairs its log (C26)", () => {
  it("neither votes, nor campaigns by itself or on order, nor reads, and answers a beat by asking for an index (C26)", () => {
    const node = damaged("b", { terms: [1, 1], currentTerm: 4, votedFor: "a" })
    step(node, { _tag: "Tick", nowMs: 0, random: 0 })
    sync(node)
    const request: Message = {
      _tag: "RequestVote",
      term: 5,
      preVote: false,
      lastLogIndex: 99,
      lastLogTerm: 4,
      transfer: true
    }
    assert.deepStrictEqual(receive(node, "c", { ...request, preVote: true }).messages, [])
    assert.deepStrictEqual(receive(node, "c", request).messages, [])
    assert.deepStrictEqual(sent([sync(node)]), [])
    assert.strictEqual(node.votedFor, undefined)
    pass(node, 5_000)
    receive(node, "c", { _tag: "TimeoutNow", term: 5 })
    assert.strictEqual(node.role._tag, "Follower")
    assert.deepStrictEqual(step(node, { _tag: "Read", readIds: [1] }).readsRefused, [1])
    assert.deepStrictEqual(sent([receive(node, "c", beat(5, 0, 0))]), [asks(5)])
    // A leader of an older term learns of this one, and of nothing else.
    assert.deepStrictEqual(sent([receive(node, "a", beat(4, 0, 0))]), [asks(5)])
  })

  it("takes its term and its vote into the log again, before it is over (C26)", () => {
    const node = damaged("b", { terms: [1, 1], currentTerm: 4, votedFor: "a" })
    const { write } = step(node, { _tag: "Tick", nowMs: 0, random: 0 })
    assert.deepStrictEqual(write?.hardState, { currentTerm: 4, votedFor: "a" })
    receive(node, "a", append(4, 0, 0, [1, 1]))
    receive(node, "a", named(4, 2))
    assert.isDefined(node.repairing)
    const output = sync(node)
    assert.deepStrictEqual(output.repaired, { throughIndex: 2 })
  })

  it("is over once it holds, compared and on its disk, the leader's log through the index that was named (C26)", () => {
    const node = damaged("b", { terms: [1, 1, 1], currentTerm: 4 })
    step(node, { _tag: "Tick", nowMs: 0, random: 0 })
    sync(node)
    receive(node, "a", named(4, 3))
    assert.isDefined(node.repairing, "its own entry 3 may be another than the leader's")
    const conflict = receive(node, "a", append(4, 3, 2, []))
    const answer = { prevLogIndex: 3, result: { _tag: "Conflict" as const, conflictTerm: 1, firstIndex: 1 } }
    assert.deepStrictEqual(sent([conflict]), [{ _tag: "Repair", term: 4, nonce, answer }])
    assert.deepStrictEqual(sent([receive(node, "a", append(4, 2, 1, [2]))]), [])
    assert.isDefined(node.repairing, "entry 3 is not on its disk")
    const over = sync(node)
    assert.deepStrictEqual(over.repaired, { throughIndex: 3 })
    assert.deepStrictEqual(sent([receive(node, "a", beat(4, 3, 3))]), [
      { _tag: "HeartbeatReply", term: 4, readNumber: 3 }
    ])
    assert.strictEqual(node.commitIndex, 3)
  })

  it("is not ended by an index that was named to an earlier repair, in an older term, or by a former leader (C26)", () => {
    const node = damaged("b", { terms: [1, 1, 1], currentTerm: 4 })
    step(node, { _tag: "Tick", nowMs: 0, random: 0 })
    sync(node)
    receive(node, "a", append(4, 0, 0, [1, 1, 1]))
    receive(node, "a", named(4, 2, nonce - 1))
    receive(node, "c", named(3, 2))
    assert.isDefined(node.repairing)
    receive(node, "a", named(4, 4))
    // Another leader overwrites the end, and has not named an index.
    receive(node, "c", append(5, 2, 1, [5, 5]))
    sync(node)
    assert.isDefined(node.repairing, "the index of the leader of term 4 counts no more")
    receive(node, "c", named(5, 4))
    assert.isUndefined(node.repairing)
  })

  it("commits nothing by a beat that knew its log before the damage (C26)", () => {
    const node = damaged("b", { terms: [1, 1, 1], currentTerm: 4 })
    step(node, { _tag: "Tick", nowMs: 0, random: 0 })
    receive(node, "a", beat(4, 3, 3))
    assert.strictEqual(node.commitIndex, 0)
    receive(node, "a", append(4, 0, 0, [1, 1]))
    receive(node, "a", beat(4, 3, 3))
    assert.strictEqual(node.commitIndex, 2)
  })
})

describe("the leader of a node that repairs its log (C26)", () => {
  /** A leader of three whose no-op all hold, and which has one more entry that only it has. */
  const leading = (): { readonly leader: State; readonly others: ReadonlyArray<State> } => {
    const [leader, ...others] = cluster(names)
    step(leader, {
      _tag: "Propose",
      term: leader.currentTerm,
      lastIndex: leader.log.lastIndex,
      entries: [{ type: "transaction", payload: payload("x") }]
    })
    sync(leader)
    return { leader, others }
  }

  const echo = (leader: State, readNumber = leader.readNumber): Message => ({
    _tag: "HeartbeatReply",
    term: leader.currentTerm,
    readNumber
  })

  it("names its last index, and not its commit index, once a quorum without the node echoed a later beat (C26)", () => {
    const { leader } = leading()
    assert.isAbove(leader.log.lastIndex, leader.commitIndex)
    const early = leader.readNumber
    const none = receive(leader, "b", asks(leader.currentTerm))
    assert.isFalse(sent([none]).some(({ _tag }) => _tag === "RepairReply"))
    const late = receive(leader, "c", echo(leader, early))
    assert.isFalse(
      sent([late]).some(({ _tag }) => _tag === "RepairReply"),
      "that beat left before the node asked"
    )
    pass(leader, 60)
    const output = receive(leader, "c", echo(leader))
    const told = sent([output]).filter(({ _tag }) => _tag === "RepairReply")
    assert.deepStrictEqual(told, [named(leader.currentTerm, leader.log.lastIndex)])
  })

  it("counts it as unheard at once, and for no quorum, until it acknowledges again (C26)", () => {
    const { leader } = leading()
    const role = leads(leader)
    assert.isTrue(Election.isHeard(leader, role, "b"))
    receive(leader, "b", asks(leader.currentTerm))
    assert.isFalse(Election.isHeard(leader, role, "b"))
    assert.isTrue(membersStatus(leader).find(({ id }) => id === "b")?.isRepairing)
    const { commitIndex } = leader
    const { lastIndex } = leader.log
    const answer = { prevLogIndex: lastIndex - 1, result: { _tag: "Matched" as const, matchIndex: lastIndex } }
    receive(leader, "b", { _tag: "Repair", term: leader.currentTerm, nonce, answer })
    assert.strictEqual(leader.commitIndex, commitIndex, "how far the transfer is commits nothing")
    const removal = { _tag: "Remove" as const, id: "c" }
    const changed = step(leader, { _tag: "ChangeMembership", requestId: 1, change: removal })
    assert.deepStrictEqual(changed.membership, { _tag: "Refused", requestId: 1, reason: "unreachable" })
    receive(leader, "b", {
      _tag: "AppendEntriesReply",
      term: leader.currentTerm,
      prevLogIndex: lastIndex,
      result: { _tag: "Matched", matchIndex: lastIndex }
    })
    assert.strictEqual(leader.commitIndex, lastIndex)
    assert.isTrue(Election.isHeard(leader, role, "b"))
  })

  it("tells it not to campaign, however far the transfer is, and keeps its leases (C26, C12)", () => {
    const { leader } = leading()
    const { lastIndex } = leader.log
    const answer = { prevLogIndex: lastIndex - 1, result: { _tag: "Matched" as const, matchIndex: lastIndex } }
    receive(leader, "b", { _tag: "Repair", term: leader.currentTerm, nonce, answer })
    const handed = step(leader, { _tag: "TransferLeadership", to: "b" })
    assert.deepStrictEqual(handed.transfer, { _tag: "Started", to: "b" })
    assert.isFalse(sent([handed]).some(({ _tag }) => _tag === "TimeoutNow"))
    assert.isFalse(leads(leader).hasYielded)
    const acknowledgement: Message = { _tag: "AppendEntriesReply", term: leader.currentTerm, ...answer }
    const told = sent([receive(leader, "b", acknowledgement)])
    assert.isTrue(told.some(({ _tag }) => _tag === "TimeoutNow"))
  })

  it("steps down if it hears nobody else (C26, C20)", () => {
    const { leader } = leading()
    for (let elapsed = 0; elapsed < 600; elapsed += 50) {
      pass(leader, 50)
      receive(leader, "b", asks(leader.currentTerm))
    }
    assert.notStrictEqual(leader.role._tag, "Leader")
  })

  it("lets a cluster of two wait: nobody else can confirm it (C26)", () => {
    const leader = core("a", ["a", "b"], {})
    elect(leader)
    sync(leader)
    receive(leader, "b", echo(leader))
    for (let elapsed = 0; elapsed < 200; elapsed += 50) {
      pass(leader, 50)
      const output = receive(leader, "b", asks(leader.currentTerm))
      assert.isFalse(sent([output]).some(({ _tag }) => _tag === "RepairReply"))
    }
  })
})

describe("repair (C26)", () => {
  const termsOf = ({ log }: State) =>
    Array.from({ length: log.lastIndex - log.firstIndex + 1 }, (_, at) => RaftLog.termAt(log, log.firstIndex + at))

  /** Every log that a node may be left with: each beginning of what it once had, with entries that were replaced since. */
  const beginnings = [[], [1], [1, 1], [1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 2], [1, 1, 2, 2], [1, 1, 2, 2, 3]]

  /** Lets time pass, and reads the leader's log on disk for peers that lag. */
  const liveWithDisks = (nodes: ReadonlyArray<State>, ms: number): void => {
    for (let elapsed = 0; elapsed < ms; elapsed += 100) {
      let outputs = live(nodes, 50)
      while (outputs.length > 0) {
        const reads = outputs.flatMap(({ node, output }) => output.readLog.map((request) => ({ node, request })))
        outputs = settle(
          nodes,
          reads.map(({ node, request: { fromIndex, peer, toIndex } }) => {
            const { log } = nodes.find(({ nodeId }) => nodeId === node)!
            const entries = Array.from({ length: toIndex - fromIndex + 1 }, (_, at) =>
              entry(fromIndex + at, RaftLog.termAt(log, fromIndex + at)!)
            )
            return { to: node, input: { _tag: "LogRead" as const, peer, entries } }
          })
        )
      }
    }
  }

  for (const terms of beginnings) {
    it(`makes a log with entries of terms ${terms.join(" ") || "none"} equal to the leader's (C26)`, () => {
      const whole = { terms: [1, 1, 2, 2, 3], currentTerm: 3 }
      const nodes = [core("a", names, whole), core("b", names, whole), damaged("c", { terms, currentTerm: 3 })]
      const [a, b, c] = nodes as [State, State, State]
      liveWithDisks(nodes, 2_000)
      const leader = a.role._tag === "Leader" ? a : b
      assert.strictEqual(leader.role._tag, "Leader")
      assert.isUndefined(c.repairing)
      assert.deepStrictEqual(termsOf(c), termsOf(leader))
      assert.isTrue(
        membersStatus(leader).every(({ isRepairing, matchIndex }) => {
          return !isRepairing && matchIndex === leader.log.lastIndex
        })
      )
      // It votes again.
      settle(nodes, [{ to: leader.nodeId, input: { _tag: "TransferLeadership", to: "c" } }])
      assert.strictEqual(c.role._tag, "Leader")
    })
  }

  it("waits as long as only one other node is there, which nobody elects (C26)", () => {
    const whole = { terms: [1, 1, 2], currentTerm: 2 }
    const other = core("a", names, whole)
    const node = damaged("c", { terms: [1], currentTerm: 2 })
    live([other, node], 5_000)
    assert.notStrictEqual(other.role._tag, "Leader")
    assert.isDefined(node.repairing)
  })
})
