/** Ending a key over both of a node's logs. docs/http.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { anonymous } from "../../src/Access/Caller.ts"
import type { Member } from "../../src/Cluster/Member.ts"
import type { LocalNode } from "../../src/Local/LocalNode.ts"
import type { Command } from "../../src/Machine/Command.ts"
import type { CommandResult } from "../../src/Machine/CommandResult.ts"
import * as Tables from "../../src/Machine/Tables.ts"
import { NotDone } from "../../src/Raft/node/Outcome.ts"
import * as Operations from "../../src/Repository/Operations.ts"

const closed: CommandResult = { _tag: "Rejected", rejection: { _tag: "KeyClosed" } }
const done: CommandResult = { _tag: "Accepted", answer: { timeMs: 1, operations: [] }, replayedIndex: 3 }
const refused: CommandResult = { _tag: "Rejected", rejection: { _tag: "NotFound", model: "A" }, replayedIndex: 3 }

describe("closing a key", () => {
  for (const [what, result, isEndedHere] of [
    ["of which the cluster did nothing ends it on this node too", closed, true],
    ["of what the cluster did leaves this node's own log alone: it would refuse a copy", done, false],
    ["of what the cluster refused leaves it alone as well", refused, false]
  ] as const) {
    it.effect(what, () =>
      Effect.gen(function* () {
        const here: Array<Command> = []
        const operations = Operations.make({
          member: {
            submit: () => Effect.succeed({ index: 4, result }),
            inquire: () => Effect.succeed({ index: 4, status: { _tag: "Absent" } })
          } as unknown as Member["Service"],
          local: {
            tables: Tables.make([]),
            keyStatus: () => Effect.succeed({ _tag: "Absent" }),
            submit: (command: Command) =>
              Effect.sync(() => {
                here.push(command)
                return { index: 1, result: closed }
              })
          } as unknown as LocalNode["Service"]
        })
        yield* operations.close(anonymous, "k")
        assert.deepStrictEqual(here, isEndedHere ? [{ _tag: "Close", key: "k" }] : [])
      })
    )
  }

  it.effect("that is closed says, where it cannot be asked for then, that the outcome is unknown (C18)", () =>
    Effect.gen(function* () {
      const lost = new NotDone({ reason: "no-quorum", message: "the quorum was lost" })
      const closing = (submit: Effect.Effect<unknown, NotDone>) =>
        Operations.make({
          member: { submit: () => submit, inquire: () => Effect.fail(lost) } as unknown as Member["Service"],
          local: { submit: () => Effect.succeed({ index: 1, result: closed }) } as unknown as LocalNode["Service"]
        }).close(anonymous, "k")
      const unknown = yield* Effect.flip(closing(Effect.succeed({ index: 4, result: closed })))
      assert.deepStrictEqual([unknown._tag, "key" in unknown && unknown.key], ["UnknownOutcome", "k"])
      assert.strictEqual(yield* Effect.flip(closing(Effect.fail(lost))), lost)
    })
  )
})
