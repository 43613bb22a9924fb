/** Who counts, and how many are enough: §5.3, §6. */
import { assert, describe, it } from "@effect/vitest"
import type { Configuration } from "../../../src/Raft/core/Configuration.ts"
import { isQuorum, quorumValue } from "../../../src/Raft/core/Quorum.ts"
import { configurationOf, member } from "./Cores.ts"

const joint: Configuration = { ...configurationOf(["c", "d", "e"]), outgoing: ["a", "b", "c"].map(member) }

describe("Quorum", () => {
  it("half of the voters is no majority, and nobody is none (§5.2)", () => {
    assert.isFalse(isQuorum(configurationOf(["a", "b"]), (voter) => voter === "a"))
    assert.isTrue(isQuorum(configurationOf(["a", "b", "c"]), (voter) => voter !== "c"))
    assert.isFalse(isQuorum(configurationOf([]), () => true))
    assert.strictEqual(
      quorumValue(configurationOf([]), () => 7),
      0
    )
  })

  it("a joint configuration needs a majority of the old voters and one of the new (§6)", () => {
    const has = (names: string) => isQuorum(joint, (voter) => names.includes(voter))
    assert.deepStrictEqual([has("abc"), has("cde"), has("ab"), has("de")], [false, false, false, false])
    assert.deepStrictEqual([has("abde"), has("bcd")], [true, true])
  })

  it("a joint configuration has committed what both majorities hold (§6)", () => {
    const held: Record<string, number> = { a: 9, b: 8, c: 1, d: 5, e: 4 }
    assert.strictEqual(
      quorumValue(joint, (voter) => held[voter]!),
      4
    )
    assert.strictEqual(
      quorumValue(joint, (voter) => ({ ...held, a: 3, b: 3 })[voter]!),
      3
    )
  })

  it("learners count for nothing (diss. 4.2.1)", () => {
    const configuration = { ...configurationOf(["a", "b"]), learners: [{ ...member("l"), autoPromote: false }] }
    assert.isFalse(isQuorum(configuration, (voter) => voter !== "b"))
    assert.strictEqual(
      quorumValue(configuration, (voter) => (voter === "b" ? 1 : 9)),
      1
    )
  })
})
