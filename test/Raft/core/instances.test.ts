/** Whose answers count, when a node comes back under its name without its data: C16. */
import { assert, describe, it } from "@effect/vitest"
import { mayTake } from "../../../src/Raft/core/Instances.ts"
import type { Message } from "../../../src/Raft/core/Message.ts"
import { configurationOf } from "./Cores.ts"

const configuration = configurationOf(["a", "b"])

const vote: Message = { _tag: "RequestVoteReply", term: 1, preVote: false, granted: true }
const beat: Message = {
  _tag: "Heartbeat",
  term: 1,
  leaderCommit: 0,
  matchIndex: 0,
  lastContactMs: undefined,
  readNumber: 1
}
const answers: ReadonlyArray<Message> = [
  vote,
  { _tag: "AppendEntriesReply", term: 1, prevLogIndex: 0, result: { _tag: "Matched", matchIndex: 0 } },
  { _tag: "HeartbeatReply", term: 1, readNumber: 1 },
  { _tag: "InstallSnapshotReply", term: 1, snapshotIndex: 1, receivedBytes: 0, installed: true }
]

describe("Instances", () => {
  it("an answer counts only from the data directory that the configuration names (C16)", () => {
    for (const answer of answers) {
      assert.isTrue(mayTake(configuration, { id: "b", instanceId: "ib" }, answer))
      assert.isFalse(mayTake(configuration, { id: "b", instanceId: "another" }, answer))
    }
  })

  it("a leader that came back with other data is heard by members that lag, or they would lag for ever (C16)", () => {
    assert.isTrue(mayTake(configuration, { id: "b", instanceId: "another" }, beat))
  })

  it("whoever the configuration does not name is taken: this node may not know it yet (diss. 4.1)", () => {
    for (const message of [vote, beat]) assert.isTrue(mayTake(configuration, { id: "z", instanceId: "iz" }, message))
  })
})
