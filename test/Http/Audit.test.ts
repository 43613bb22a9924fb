/** The lines of the audit log. Who has one is in operators.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import * as Audit from "../../src/Http/Audit.ts"

/** The line of an act with these details. */
const lineOf = (details: Audit.Details) => {
  const lines: Array<string> = []
  const logger = Logger.make(({ message }) => void lines.push(String(message)))
  return Effect.scoped(
    Effect.flatMap(Audit.make, ({ acted }) => acted(undefined, { who: "ada", outcome: 409, details }))
  ).pipe(
    Effect.provide(Logger.layer([logger])),
    Effect.map(() => JSON.parse((lines[0] ?? "").replace("Audit: ", "")))
  )
}

describe("a line of the audit log", () => {
  it.effect("names as many members as a cluster has, and is short whatever an operator sends", () =>
    Effect.gen(function* () {
      const voters = Array.from({ length: 64 }, (_, at) => `n${at}`)
      assert.deepStrictEqual((yield* lineOf({ voters })).voters, voters)
      const many = Array.from({ length: 20_000 }, () => "n".repeat(1_000))
      const line = yield* lineOf({ voters: many, member: "m".repeat(1_000) })
      assert.lengthOf(line.voters, 65)
      assert.strictEqual(line.voters.at(-1), "and 19936 more")
      assert.isBelow(JSON.stringify(line).length, 16_000)
      assert.lengthOf(line.member, 200)
    })
  )
})
