/** Changing the members of a running cluster: Raft §6, diss. 4. */
import { assert, describe, it } from "@effect/vitest"
import type { Configuration } from "../../../src/Raft/core/Configuration.ts"
import { encodeConfiguration } from "../../../src/Raft/core/ConfigurationCodec.ts"
import type { MembershipChange } from "../../../src/Raft/core/MembershipChange.ts"
import type { Output } from "../../../src/Raft/core/Output.ts"
import type { State } from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import {
  acknowledge,
  after,
  changeMembership,
  cluster,
  configurationOf,
  core,
  elect,
  live,
  member,
  newcomer,
  pass,
  receive,
  sent,
  settle,
  sync
} from "./Cores.ts"

const abc = ["a", "b", "c"]

const addLearner = (id: string, autoPromote = false): MembershipChange => ({
  _tag: "AddLearner",
  member: member(id),
  autoPromote
})

const refusal = (output: Output): string | undefined =>
  output.membership?._tag === "Refused" ? output.membership.reason : undefined

/** Changes the membership, and lets the cluster work until it is done. */
const changed = (states: ReadonlyArray<State>, change: MembershipChange): void => {
  const output = changeMembership(states[0]!, change)
  assert.strictEqual(output.membership?._tag, "Accepted")
  settle(states, after(states[0]!.nodeId, output))
  live(states, 200)
}

const namesOf = ({ configuration }: State) => ({
  voters: configuration.voters.map(({ id }) => id),
  learners: configuration.learners.map(({ id }) => id),
  outgoing: configuration.outgoing?.map(({ id }) => id)
})

/** A leader of `a`, `b` and `c` with the caught-up learner `d`, driven by hand from here on. */
const withLearner = (): { readonly a: State; readonly states: ReadonlyArray<State> } => {
  const states = [...cluster(abc), newcomer("d")]
  changed(states, addLearner("d"))
  return { a: states[0]!, states }
}

describe("configurations", () => {
  const joint: Configuration = { ...configurationOf(["c", "d"]), outgoing: abc.map(member) }
  const append = (term: number, index: number, configuration: Configuration) => ({
    _tag: "AppendEntries" as const,
    term,
    prevLogIndex: index - 1,
    prevLogTerm: index === 1 ? 0 : 1,
    entries: [{ index, term, type: "configuration" as const, payload: encodeConfiguration(configuration) }],
    leaderCommit: 0
  })

  it("a follower uses a configuration as soon as it is in its log, committed or not (§6)", () => {
    const c = core("c", abc)
    const output = receive(c, "a", append(1, 1, joint))
    assert.deepStrictEqual(output.configurationChanged, { index: 1, configuration: joint })
    assert.deepStrictEqual([c.configuration, c.commitIndex], [joint, 0])
  })

  it("a configuration is rolled back with its entry (§6)", () => {
    const c = core("c", abc)
    receive(c, "a", append(1, 1, joint))
    const output = receive(c, "b", append(2, 1, configurationOf(["b", "c"])))
    assert.deepStrictEqual(output.configurationChanged?.configuration, configurationOf(["b", "c"]))
    const third = receive(c, "a", { ...append(3, 1, joint), entries: [{ ...noop, term: 3 }] })
    assert.deepStrictEqual(third.configurationChanged, { index: 0, configuration: configurationOf(abc) })
  })

  it("a candidate of a joint configuration needs both majorities (§6)", () => {
    const c = core("c", abc)
    receive(c, "a", append(1, 1, { ...joint, voters: ["c", "d", "e"].map(member) }))
    sync(c)
    const ballot = { _tag: "RequestVoteReply" as const, term: 2, preVote: true, granted: true }
    const asked = pass(c, 700).flatMap(({ messages }) => messages.map(({ to }) => to))
    assert.deepStrictEqual([...new Set(asked)].sort(), ["a", "b", "d", "e"])
    receive(c, "d", ballot)
    receive(c, "e", ballot)
    assert.strictEqual(c.role._tag, "PreCandidate")
    receive(c, "b", ballot)
    assert.strictEqual(c.role._tag, "Candidate")
  })

  it("a configuration that this code cannot read stops the node, before it counts wrongly (§6)", () => {
    const c = core("c", abc)
    const message = append(1, 1, joint)
    const payload = new TextEncoder().encode(`{"voters":[],"witnesses":[]}`)
    assert.throws(() => receive(c, "a", { ...message, entries: [{ ...message.entries[0]!, payload }] }))
  })
})

const noop = { index: 1, term: 1, type: "noop" as const, payload: new Uint8Array(0) }

describe("changing the membership", () => {
  it("a voter is replaced through a joint configuration, which the leader leaves by itself (§6, C10)", () => {
    const { a, states } = withLearner()
    const output = changeMembership(a, { _tag: "ReplaceVoters", voters: ["a", "b", "d"] })
    assert.deepStrictEqual(namesOf(a), { voters: ["a", "b", "d"], learners: [], outgoing: abc })
    settle(states, after("a", output))
    live(states, 100)
    const final = { voters: ["a", "b", "d"], learners: [], outgoing: undefined }
    for (const state of states) assert.deepStrictEqual(namesOf(state), final)
    assert.strictEqual(states[3]!.lastApplied, a.lastApplied)
  })

  it("a joint configuration commits with a majority of each side only (§6)", () => {
    const { a } = withLearner()
    changeMembership(a, { _tag: "ReplaceVoters", voters: ["d"] })
    const index = a.log.lastIndex
    sync(a)
    acknowledge(a, "b", index)
    acknowledge(a, "c", index)
    assert.strictEqual(a.commitIndex, index - 1)
    acknowledge(a, "d", index)
    assert.strictEqual(a.commitIndex, index)
    // Nor do the new voters decide alone.
    const { a: other } = withLearner()
    changeMembership(other, { _tag: "ReplaceVoters", voters: ["d"] })
    sync(other)
    acknowledge(other, "d", index)
    assert.strictEqual(other.commitIndex, index - 1)
  })

  it("the joint configuration is left once it is committed, and not before (§6)", () => {
    const { a } = withLearner()
    const entries = [{ type: "transaction" as const, payload: new Uint8Array([1]) }]
    step(a, { _tag: "Propose", term: a.currentTerm, lastIndex: a.log.lastIndex, entries })
    changeMembership(a, { _tag: "Promote", id: "d" })
    const index = a.log.lastIndex
    sync(a)
    acknowledge(a, "d", index)
    acknowledge(a, "b", index - 1)
    assert.strictEqual(a.commitIndex, index - 1)
    assert.isDefined(a.configuration.outgoing)
    const output = acknowledge(a, "b", index)
    assert.strictEqual(output.write?.entries[0]?.type, "configuration")
    assert.deepStrictEqual(namesOf(a), { voters: ["a", "b", "c", "d"], learners: [], outgoing: undefined })
  })

  it("a leader that inherits a joint configuration leaves it after its own no-op (§6)", () => {
    const { a, states } = withLearner()
    const output = changeMembership(a, { _tag: "Promote", id: "d" })
    // All hold the joint entry, and the leader is gone before it knows.
    const others = states.slice(1)
    settle(
      others,
      after("a", output).filter(({ to }) => to !== "a")
    )
    for (const state of others) assert.isDefined(state.configuration.outgoing)
    live(others, 1500)
    const final = { voters: ["a", "b", "c", "d"], learners: [], outgoing: undefined }
    for (const state of others) assert.deepStrictEqual(namesOf(state), final)
  })

  it("a leader that is not among the new voters steps down once they have committed it (§6)", () => {
    const { a, states } = withLearner()
    changeMembership(a, { _tag: "ReplaceVoters", voters: ["b", "c", "d"] })
    sync(a)
    const joint = a.log.lastIndex
    for (const peer of ["b", "c", "d"]) acknowledge(a, peer, joint)
    assert.deepStrictEqual(namesOf(a), { voters: ["b", "c", "d"], learners: [], outgoing: undefined })
    sync(a)
    acknowledge(a, "b", joint + 1)
    assert.deepStrictEqual([a.role._tag, a.commitIndex], ["Leader", joint])
    acknowledge(a, "c", joint + 1)
    assert.deepStrictEqual([a.role._tag, a.commitIndex], ["Follower", joint + 1])
    pass(a, 2000)
    assert.strictEqual(a.role._tag, "Follower")
    assert.strictEqual(states.length, 4)
  })

  it("a node that alone holds the configuration without itself is elected, commits it and goes (diss. 4.2.2)", () => {
    const { a, states } = withLearner()
    const [b] = states.slice(1)
    changed(states, { _tag: "ReplaceVoters", voters: ["a", "b"] })
    // The joint configuration that leaves a out is committed, and a alone holds the one that follows.
    const output = changeMembership(a, { _tag: "Remove", id: "a" })
    sync(a)
    settle(
      [b!],
      after("a", output).filter(({ to }) => to === "b")
    )
    acknowledge(a, "b", a.log.lastIndex)
    sync(a)
    step(a, { _tag: "DiskStalled" })
    assert.deepStrictEqual([namesOf(a).voters, namesOf(b!).outgoing], [["b"], ["a", "b"]])
    const restarted = [a, b!]
    for (const state of restarted) state.leaderHeardMs = undefined
    live(restarted, 3000)
    for (const state of restarted) assert.deepStrictEqual(namesOf(state).outgoing, undefined)
    assert.deepStrictEqual([a.role._tag, b!.role._tag], ["Follower", "Leader"])
  })

  it("a leader that is not among the new voters does not count itself (§6)", () => {
    const states = [...cluster(["a"]), newcomer("d")]
    const a = states[0]!
    changed(states, addLearner("d"))
    changeMembership(a, { _tag: "ReplaceVoters", voters: ["d"] })
    sync(a)
    const joint = a.log.lastIndex
    assert.strictEqual(a.commitIndex, joint - 1)
    acknowledge(a, "d", joint)
    sync(a)
    assert.strictEqual(a.commitIndex, joint)
    acknowledge(a, "d", joint + 1)
    assert.strictEqual(a.role._tag, "Follower")
  })

  it("one change at a time: another is refused until the first is committed and left (§6, C10)", () => {
    const { a } = withLearner()
    changeMembership(a, addLearner("e"))
    assert.strictEqual(refusal(changeMembership(a, { _tag: "Promote", id: "d" })), "changing")
    sync(a)
    acknowledge(a, "b", a.log.lastIndex)
    changeMembership(a, { _tag: "Promote", id: "d" })
    sync(a)
    const joint = a.log.lastIndex
    assert.strictEqual(refusal(changeMembership(a, { _tag: "Remove", id: "e" })), "changing")
    for (const peer of ["b", "c"]) acknowledge(a, peer, joint)
    assert.isUndefined(a.configuration.outgoing)
    assert.strictEqual(refusal(changeMembership(a, { _tag: "Remove", id: "e" })), "changing")
    sync(a)
    for (const peer of ["b", "c"]) acknowledge(a, peer, joint + 1)
    assert.strictEqual(refusal(changeMembership(a, { _tag: "Remove", id: "e" })), undefined)
  })

  it("no change before the term's no-op is committed (diss. 4.1, the bug of 2015, C4)", () => {
    const a = core("a", abc)
    elect(a)
    assert.strictEqual(refusal(changeMembership(a, addLearner("d"))), "notReady")
    sync(a)
    acknowledge(a, "b", 1)
    assert.strictEqual(refusal(changeMembership(a, addLearner("d"))), undefined)
  })

  it("a change that cannot be is refused with its reason, and appends nothing", () => {
    const { a, states } = withLearner()
    const lastIndex = a.log.lastIndex
    const asked: ReadonlyArray<readonly [MembershipChange, string]> = [
      [addLearner("b"), "alreadyMember"],
      [addLearner("d"), "alreadyMember"],
      [{ _tag: "Promote", id: "a" }, "unchanged"],
      [{ _tag: "Promote", id: "z" }, "unknownMember"],
      [{ _tag: "Remove", id: "z" }, "unknownMember"],
      [{ _tag: "ReplaceVoters", voters: ["a", "z"] }, "unknownMember"],
      [{ _tag: "ReplaceVoters", voters: ["c", "b", "a"] }, "unchanged"],
      [{ _tag: "ReplaceVoters", voters: [] }, "noVoters"]
    ]
    for (const [change, reason] of asked) assert.strictEqual(refusal(changeMembership(a, change)), reason)
    assert.strictEqual(refusal(changeMembership(states[1]!, addLearner("e"))), "notLeader")
    assert.strictEqual(a.log.lastIndex, lastIndex)
    const many = core("a", ["a"])
    pass(many, 0)
    sync(many)
    sync(many)
    for (let at = 0; at < 64; at++) {
      assert.strictEqual(refusal(changeMembership(many, addLearner(`l${at}`))), undefined)
      sync(many)
    }
    assert.strictEqual(refusal(changeMembership(many, addLearner("one more"))), "tooManyMembers")
  })

  it("voters of whom this leader hears no majority are refused: no quorum could follow", () => {
    const { a, states } = withLearner()
    const [, b] = states
    // Only b answers: it is the quorum with a, and would be none of a, c and d.
    live([a, b!], 400)
    const output = changeMembership(a, { _tag: "ReplaceVoters", voters: ["a", "c"] })
    assert.deepStrictEqual([a.role._tag, refusal(output)], ["Leader", "unreachable"])
  })
})

describe("removed nodes", () => {
  /** Three that stay, and `d`, which was removed and was not told. */
  const removed = () => {
    const { states } = withLearner()
    changed(states, { _tag: "Promote", id: "d" })
    const [stay, d] = [states.slice(0, 3), states[3]!]
    changed(stay, { _tag: "Remove", id: "d" })
    live(stay, 800)
    assert.isTrue(d.configuration.voters.some(({ id }) => id === "d"))
    return { stay, d }
  }

  it("one that was not told campaigns in vain, and disturbs nobody (diss. 4.2.3, C9)", () => {
    const { d, stay } = removed()
    const term = stay[0]!.currentTerm
    live([...stay, d], 3000)
    assert.strictEqual(d.role._tag, "PreCandidate")
    for (const state of [...stay, d]) assert.strictEqual(state.currentTerm, term)
    assert.strictEqual(stay[0]!.role._tag, "Leader")
  })

  it("even a real request of its own is ignored while a leader lives (diss. 4.2.3, C9)", () => {
    const { stay } = removed()
    for (const state of stay) {
      const term = state.currentTerm + 5
      const lastLogTerm = state.currentTerm
      const ask = { _tag: "RequestVote" as const, term, preVote: false, lastLogIndex: 99, lastLogTerm, transfer: false }
      const output = receive(state, "d", ask)
      assert.deepStrictEqual([output.messages, state.currentTerm], [[], term - 5])
    }
  })

  it("without a leader it is refused too: its log ends before its own removal (§5.4.1)", () => {
    const { d, stay } = removed()
    const [, b] = stay
    pass(b!, 400)
    pass(d, 400)
    const { lastIndex } = d.log
    const ask = {
      _tag: "RequestVote" as const,
      term: 2,
      preVote: true,
      lastLogIndex: lastIndex,
      lastLogTerm: 1,
      transfer: false
    }
    assert.deepInclude(sent([receive(b!, "d", ask)])[0], { granted: false })
  })

  it("it gets no read index from the leader", () => {
    const { stay } = removed()
    const output = receive(stay[0]!, "d", { _tag: "ReadIndex", term: 1, life: 1, requestId: 1 })
    assert.deepStrictEqual(sent([output]), [
      { _tag: "ReadIndexReply", term: 1, life: 1, requestId: 1, readIndex: undefined }
    ])
  })

  it("one that can be told learns that it is removed, and campaigns no more (diss. 4.2.2)", () => {
    const { a, states } = withLearner()
    changed(states, { _tag: "Remove", id: "c" })
    const c = states[2]!
    assert.deepStrictEqual(namesOf(c).voters, ["a", "b"])
    live(states, 1000)
    assert.isFalse(a.role._tag === "Leader" && a.role.progress.has("c"))
    live([c], 2000)
    assert.strictEqual(c.role._tag, "Follower")
  })

  it("one that was never told is forgotten after an election timeout", () => {
    const { stay } = removed()
    const role = stay[0]!.role
    assert.isFalse(role._tag === "Leader" && role.progress.has("d"))
  })

  it("one that lost its data does not take the vote of its former self for its own (C16)", () => {
    const fresh = core("a", abc, { instanceId: "another" })
    pass(fresh, 2000)
    receive(fresh, "b", { _tag: "TimeoutNow", term: 1 })
    assert.strictEqual(fresh.role._tag, "Follower")
    assert.strictEqual(fresh.currentTerm, 1)
  })

  it("one that comes back under its name starts from nothing: what it held before is not believed (C16)", () => {
    const { a, states } = withLearner()
    const stay = states.slice(0, 3)
    changed(stay, { _tag: "Remove", id: "d" })
    changeMembership(a, { _tag: "AddLearner", member: { ...member("d"), instanceId: "another" }, autoPromote: false })
    assert.deepInclude(a.role._tag === "Leader" ? a.role.progress.get("d") : undefined, { matchIndex: 0 })
  })
})

describe("learners", () => {
  it("a learner receives the log, and applies what is committed (diss. 4.2.1, C11)", () => {
    const { a, states } = withLearner()
    assert.strictEqual(states[3]!.lastApplied, a.lastApplied)
    assert.deepStrictEqual(namesOf(states[3]!), { voters: abc, learners: ["d"], outgoing: undefined })
  })

  it("a learner counts for nothing: neither for commits nor for keeping the leader (diss. 4.2.1)", () => {
    const { a, states } = withLearner()
    const entries = [{ type: "transaction" as const, payload: new Uint8Array([1]) }]
    const lastIndex = a.log.lastIndex
    step(a, { _tag: "Propose", term: a.currentTerm, lastIndex, entries })
    sync(a)
    acknowledge(a, "d", lastIndex + 1)
    assert.strictEqual(a.commitIndex, lastIndex)
    live([a, states[3]!], 600)
    assert.notStrictEqual(a.role._tag, "Leader")
  })

  it("a learner never campaigns, and nobody asks for its vote (diss. 4.2.1)", () => {
    const { states } = withLearner()
    const [, b, c, d] = states
    const outputs = live([d!], 2000)
    assert.deepStrictEqual(sent(outputs.map(({ output }) => output)), [])
    const asked = live([b!, c!], 700).flatMap(({ output }) => output.messages)
    const requests = asked.filter(({ message, to }) => message._tag === "RequestVote" && to === "d")
    assert.deepStrictEqual([asked.length > 0, requests], [true, []])
  })

  it("a learner that does not know of its promotion votes when asked, or none could be elected (§6)", () => {
    const d = newcomer("d")
    const ask = {
      _tag: "RequestVote" as const,
      term: 2,
      preVote: false,
      lastLogIndex: 5,
      lastLogTerm: 1,
      transfer: false
    }
    receive(d, "b", ask)
    assert.deepInclude(sent([sync(d)])[0], { granted: true })
  })

  it("a learner that lags behind is not promoted, even when asked (diss. 4.2.1, C11)", () => {
    const [a, ...others] = cluster(abc)
    changed([a, ...others], addLearner("d", true))
    live([a, ...others], 1000)
    assert.deepStrictEqual(namesOf(a).learners, ["d"])
    assert.strictEqual(refusal(changeMembership(a, { _tag: "Promote", id: "d" })), "notCaughtUp")
  })

  it("a learner that is gone is not promoted, though it held everything (C11)", () => {
    const { a, states } = withLearner()
    live(states.slice(0, 3), 400)
    assert.strictEqual(refusal(changeMembership(a, { _tag: "Promote", id: "d" })), "notCaughtUp")
  })

  it("a learner whose rounds take longer than an election timeout has not caught up (diss. 4.2.1)", () => {
    const { a, states } = withLearner()
    const stay = states.slice(0, 3)
    const write = () => {
      const { currentTerm: term, log } = a
      const entries = [{ type: "transaction" as const, payload: new Uint8Array([1]) }]
      settle(stay, [{ to: "a", input: { _tag: "Propose", term, lastIndex: log.lastIndex, entries } }])
    }
    const promote = () => refusal(changeMembership(a, { _tag: "Promote", id: "d" }))
    write()
    // Its acknowledgements come 400 ms late, and the log goes on meanwhile.
    for (let round = 0; round < 3; round++) {
      const heldIndex = a.log.lastIndex
      write()
      live(stay, 400)
      acknowledge(a, "d", heldIndex)
      assert.strictEqual(promote(), "notCaughtUp")
    }
    live(stay, 100)
    acknowledge(a, "d", a.log.lastIndex)
    assert.strictEqual(promote(), undefined)
  })

  it("what it acknowledges within a round makes that no shorter (diss. 4.2.1)", () => {
    const { a, states } = withLearner()
    const stay = states.slice(0, 3)
    const heldIndex = a.log.lastIndex
    const { currentTerm: term } = a
    const write = () => {
      const entries = [{ type: "transaction" as const, payload: new Uint8Array([1]) }]
      settle(stay, [{ to: "a", input: { _tag: "Propose", term, lastIndex: a.log.lastIndex, entries } }])
    }
    // The round that begins here ends two entries later, and takes 400 ms.
    write()
    write()
    acknowledge(a, "d", heldIndex)
    for (const index of [heldIndex + 1, heldIndex + 2]) {
      write()
      live(stay, 200)
      acknowledge(a, "d", index)
    }
    assert.strictEqual(refusal(changeMembership(a, { _tag: "Promote", id: "d" })), "notCaughtUp")
  })

  it("a promotion that is due waits for the change under way (§6, C11)", () => {
    const states = [...cluster(abc), newcomer("d")]
    const [a] = states
    const output = changeMembership(a!, addLearner("d", true))
    // `d` catches up while its own addition is not committed.
    settle([a!, states[3]!], after("a", output))
    settle(
      [a!, states[3]!],
      pass(a!, 60).flatMap((each) => after("a", each))
    )
    assert.deepStrictEqual(namesOf(a!), { voters: abc, learners: ["d"], outgoing: undefined })
    live(states, 500)
    assert.deepStrictEqual(namesOf(a!).voters, ["a", "b", "c", "d"])
  })

  it("a learner that asked for it is promoted by the leader once it has caught up (diss. 4.2.1, C11)", () => {
    const states = [...cluster(abc), newcomer("d"), newcomer("e")]
    const output = changeMembership(states[0]!, addLearner("d", true))
    settle(states, after("a", output))
    live(states, 300)
    const final = { voters: ["a", "b", "c", "d"], learners: [], outgoing: undefined }
    for (const state of states.slice(0, 4)) assert.deepStrictEqual(namesOf(state), final)
    changed(states, addLearner("e"))
    live(states, 300)
    assert.deepStrictEqual(namesOf(states[0]!).learners, ["e"])
  })
})
