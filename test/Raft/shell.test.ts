/** What one shell answers, and when, whatever its peers, its disk and its machine do. On the test's clock. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { acknowledge, begin, deposing, echo, lead, startShell } from "./Shell.ts"

describe("RaftNode, one shell", () => {
  it.effect("a rejection that rests on an entry which is never committed is not given (D2)", () =>
    Effect.gen(function* () {
      const shell = yield* startShell()
      yield* lead(shell)
      const first = yield* begin(shell.node.submit("x"))
      const second = yield* begin(shell.node.submit("x"))
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
      const first = yield* begin(shell.node.submit("x"))
      yield* acknowledge(shell)
      assert.strictEqual((yield* first.join)._tag, "Success")
      // The message that ends the leadership comes when the command is decided, and is read before anything else.
      const message = deposing(shell, 2)
      shell.names.meanwhile = () => shell.node.receive("b", message)
      const second = yield* begin(shell.node.submit("x"))
      assert.strictEqual(shell.node.core.role._tag, "Follower")
      const asked = shell.sent.find(({ message }) => message._tag === "ReadIndex")
      assert.strictEqual(asked, undefined)
      const outcome = yield* second.join
      assert.strictEqual(outcome._tag === "Failure" && outcome.failure._tag, "NotDone")
    })
  )
})
