/** Which runtime the tests run on: the gate names it, so that no runtime stands in for another unnoticed. */
import { assert, it } from "@effect/vitest"

it("the tests run on the runtime that the gate names (D1)", () => {
  const runtime = "Deno" in globalThis ? "Deno" : "Bun" in globalThis ? "Bun" : "Node"
  assert.strictEqual(runtime, process.env.LITHAIR_TEST_RUNTIME ?? "Node")
})
