/** Handing leadership over: diss. 3.10, C12. */
import { assert, describe, it } from "@effect/vitest"
import type { State } from "../../../src/Raft/core/State.ts"
import { step } from "../../../src/Raft/core/step.ts"
import {
  acknowledge,
  after,
  changeMembership,
  cluster,
  core,
  live,
  member,
  newcomer,
  propose,
  receive,
  sent,
  settle,
  sync
} from "./Cores.ts"

const abc = ["a", "b", "c"]

const transfer = (state: State, to?: string) =>
  step(state, { _tag: "TransferLeadership", ...(to === undefined ? {} : { to }) })

const leaders = (states: ReadonlyArray<State>) =>
  states.flatMap(({ nodeId, role }) => (role._tag === "Leader" ? [nodeId] : []))

describe("transfer", () => {
  it("the target leads the next term, without any time passing (diss. 3.10)", () => {
    const states = cluster(abc)
    const output = transfer(states[0], "b")
    assert.deepStrictEqual(output.transfer, { _tag: "Started", to: "b" })
    settle(states, after("a", output))
    assert.deepStrictEqual([leaders(states), states[1]!.currentTerm], [["b"], 2])
  })

  it("the target is told only once it holds the whole log (diss. 3.10)", () => {
    const [a] = cluster(abc)
    propose(a)
    assert.deepStrictEqual(sent([transfer(a, "b")]), [])
    assert.deepStrictEqual(
      sent([acknowledge(a, "c", 2)]).filter((message) => message._tag === "TimeoutNow"),
      []
    )
    const told = acknowledge(a, "b", 2).messages.filter(({ message }) => message._tag === "TimeoutNow")
    assert.deepStrictEqual(told, [{ from: "a", to: "b", message: { _tag: "TimeoutNow", term: 1 } }])
  })

  it("meanwhile the leader takes no proposals and no changes of membership, and then does again (diss. 3.10)", () => {
    const states = cluster(abc)
    const [a, , c] = states
    const addLearner = () => changeMembership(a, { _tag: "AddLearner", member: member("d"), autoPromote: false })
    propose(a)
    transfer(a, "b")
    assert.deepStrictEqual(propose(a).proposal, { _tag: "Refused", reason: "transferring" })
    assert.deepInclude(addLearner().membership, { _tag: "Refused", reason: "transferring" })
    assert.deepStrictEqual(transfer(a, "c").transfer, { _tag: "Refused", reason: "transferring" })
    // The target says nothing for an election timeout: the transfer is over.
    live([a, c!], 250)
    assert.deepStrictEqual(propose(a).proposal, { _tag: "Refused", reason: "transferring" })
    live([a, c!], 50)
    assert.deepStrictEqual([a.role._tag, propose(a).proposal?._tag], ["Leader", "Accepted"])
  })

  it("without a name the voter that has caught up most is chosen (diss. 3.10)", () => {
    const [a] = cluster(abc)
    propose(a)
    acknowledge(a, "c", 2)
    assert.deepStrictEqual(transfer(a).transfer, { _tag: "Started", to: "c" })
  })

  it("a voter that does not answer is not chosen", () => {
    const [a, b] = cluster(abc)
    live([a, b!], 400)
    assert.deepStrictEqual(transfer(a).transfer, { _tag: "Started", to: "b" })
  })

  it("only another voter can take over, and only a leader hands over", () => {
    const states = [...cluster(abc), newcomer("d")]
    const a = states[0]!
    const added = changeMembership(a, { _tag: "AddLearner", member: member("d"), autoPromote: false })
    settle(states, after("a", added))
    for (const to of ["a", "d", "z"]) {
      assert.deepStrictEqual(transfer(a, to).transfer, { _tag: "Refused", reason: "notAnotherVoter" })
    }
    assert.deepStrictEqual(transfer(states[1]!).transfer, { _tag: "Refused", reason: "notLeader" })
    const [alone] = cluster(["a"])
    assert.deepStrictEqual(transfer(alone).transfer, { _tag: "Refused", reason: "noTarget" })
  })

  it("the target campaigns at once, without a pre-vote (diss. 3.10)", () => {
    const [, b] = cluster(abc)
    receive(b!, "a", { _tag: "TimeoutNow", term: 1 })
    assert.deepStrictEqual([b!.role._tag, b!.currentTerm], ["Candidate", 2])
    const asked = sent([sync(b!)])
    assert.strictEqual(asked.length, 2)
    for (const message of asked) assert.deepInclude(message, { _tag: "RequestVote", preVote: false, transfer: true })
  })

  it("voters grant such a campaign although their leader lives (diss. 4.2.3)", () => {
    const [, , c] = cluster(abc)
    const ask = { _tag: "RequestVote" as const, term: 2, preVote: false, lastLogIndex: 1, lastLogTerm: 1 }
    assert.deepStrictEqual(receive(c!, "b", { ...ask, transfer: false }).messages, [])
    receive(c!, "b", { ...ask, transfer: true })
    assert.deepInclude(sent([sync(c!)])[0], { granted: true })
  })

  it("a node that may not lead, or that is told too late, does not campaign", () => {
    const [, b] = cluster(abc)
    step(b!, { _tag: "ShutDown" })
    receive(b!, "a", { _tag: "TimeoutNow", term: 1 })
    assert.strictEqual(b!.role._tag, "Follower")
    const learner = newcomer("d")
    receive(learner, "a", { _tag: "TimeoutNow", term: 1 })
    assert.strictEqual(learner.role._tag, "Follower")
    const ahead = core("c", abc, { currentTerm: 3 })
    receive(ahead, "a", { _tag: "TimeoutNow", term: 1 })
    assert.strictEqual(ahead.role._tag, "Follower")
  })

  it("a leader that is to stop hands over first (C12)", () => {
    const states = cluster(abc)
    const output = step(states[0], { _tag: "ShutDown" })
    assert.strictEqual(states[0].role._tag, "Leader")
    assert.deepStrictEqual(propose(states[0]).proposal, { _tag: "Refused", reason: "transferring" })
    settle(states, after("a", output))
    assert.strictEqual(leaders(states).length, 1)
    assert.notDeepEqual(leaders(states), ["a"])
    // It still follows, and its vote may be the one that was missing.
    live(states, 100)
    assert.strictEqual(states[0].currentTerm, 2)
    assert.strictEqual(states[0].lastApplied, 2)
  })

  it("the target is told once, and not by every acknowledgement (diss. 3.10)", () => {
    const [a] = cluster(abc)
    assert.strictEqual(sent([transfer(a, "b")]).length, 1)
    assert.deepStrictEqual(sent([acknowledge(a, "b", a.log.lastIndex)]), [])
  })

  it("a follower that is to stop follows until then, and reads on (C12)", () => {
    const [, b] = cluster(abc)
    step(b!, { _tag: "ShutDown" })
    assert.deepStrictEqual(b!.role, { _tag: "Follower", leader: "a" })
  })

  it("a leader that is to stop goes on with a hand-over under way (C12)", () => {
    const [a] = cluster(abc)
    propose(a)
    transfer(a, "c")
    step(a, { _tag: "ShutDown" })
    assert.deepInclude(a.role._tag === "Leader" ? a.role.transfer : undefined, { target: "c" })
  })

  it("a leader that is to stop, and finds nobody, stops leading after an election timeout (C12)", () => {
    const states = cluster(abc)
    propose(states[0])
    step(states[0], { _tag: "ShutDown" })
    live([states[0]], 300)
    assert.strictEqual(states[0].role._tag, "Follower")
    live([states[0]], 1000)
    assert.strictEqual(states[0].role._tag, "Follower")
    const [alone] = cluster(["a"])
    step(alone, { _tag: "ShutDown" })
    assert.strictEqual(alone.role._tag, "Follower")
  })

  it("a leader whose disk stalls steps down at once, and tells the best voter to campaign (C12, C20)", () => {
    const [a] = cluster(abc)
    propose(a)
    acknowledge(a, "c", 2)
    const output = step(a, { _tag: "DiskStalled" })
    assert.strictEqual(a.role._tag, "Follower")
    assert.deepStrictEqual(output.messages, [{ from: "a", to: "c", message: { _tag: "TimeoutNow", term: 1 } }])
  })

  it("a leader that is removed tells the best of those that stay to campaign (§6, diss. 3.10)", () => {
    const states = cluster(abc)
    const output = changeMembership(states[0], { _tag: "Remove", id: "a" })
    settle(states, after("a", output))
    assert.strictEqual(leaders(states).length, 1)
    assert.notDeepEqual(leaders(states), ["a"])
  })
})
