/** A chain of digests on a leader that also appends entries that are not the machine's: real files, real time with bounded waits. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Command } from "../../src/Machine/Command.ts"
import { makeMemoryNetwork } from "../../src/Raft/peers/MemoryNetwork.ts"
import { directory, startMember, until } from "../Raft/core/Members.ts"

const create = (name: string): Command => ({ _tag: "Create", model: "User", data: { email: `${name}@x` } })

describe("the chain of digests", () => {
  it.live("goes on over a change of the members, which the leader decides nothing about", () =>
    Effect.gen(function* () {
      const root = yield* directory
      const member = yield* startMember(makeMemoryNetwork(), root, "a", { isAlone: true, tamperEvident: true })
      yield* until("it leads", () => member.leader() !== undefined)
      yield* member.submit(create("u0"))
      yield* until("it proves", () => member.tables.chain !== undefined)
      yield* member.submit(create("u1"))
      const before = member.tables.chain!.index
      const added = yield* member.administer({
        _tag: "ChangeMembers",
        admitted: "this-host",
        force: true,
        change: { _tag: "AddLearner", member: { id: "b", address: "b", instanceId: "b" }, autoPromote: false }
      })
      assert.deepStrictEqual(added, { _tag: "Done" })
      yield* member.submit(create("u2"))
      assert.isAtLeast(member.tables.chain!.index, before + 2)
    }).pipe(Effect.scoped)
  )
})
