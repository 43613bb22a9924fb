import { assert, it } from "@effect/vitest"
import { InvariantViolation, invariant } from "../src/Invariant.ts"

it("invariant passes on a fact and throws InvariantViolation on a broken one", () => {
  invariant(true, "holds")
  assert.throws(() => invariant(false, "lastApplied passed commitIndex"), InvariantViolation, "lastApplied")
})
