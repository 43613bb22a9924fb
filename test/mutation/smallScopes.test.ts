/**
 * All that can happen in small scopes of the real core, searched to the end: nothing breaks a property. And what that is
 * worth: faults of one line, each found in the scope that is named beside it. docs/testing.md. Here and not beside the core, since
 * pure code need not be searched once for each runtime.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { output } from "../Mutation.ts"
import { search } from "../Raft/core/SmallScope.ts"
import { smallScopes } from "../Raft/core/smallScopes.ts"
import { plantedInScopes } from "./plantedInScopes.ts"

describe("all that can happen to three nodes", () => {
  for (const scope of smallScopes) {
    it(`keeps Fig. 3, every promise and every read: ${scope.name}`, { timeout: 120_000 }, () => {
      const { failure, worlds } = search(scope)
      assert.isUndefined(failure, JSON.stringify(failure, undefined, 2))
      // A scope that nothing happens in would prove nothing.
      assert.isAbove(worlds, 10_000)
    })
  }
})

describe.concurrent("the search of small scopes", () => {
  for (const { name, says, scope, ...mutation } of plantedInScopes) {
    it.live(
      `finds in "${scope}" that ${name}`,
      () =>
        Effect.gen(function* () {
          const { failure } = JSON.parse(yield* output(mutation, "test/Raft/core/searchScope.ts", [scope]))
          assert.isDefined(failure, "it was not found")
          assert.match(failure.message, says)
        }),
      120_000
    )
  }
})
