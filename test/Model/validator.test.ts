import { assert, describe, it } from "@effect/vitest"
import { Effect, Result, Schema, SchemaGetter } from "effect"
import { validator } from "../../src/Model/Descriptor.ts"

const refused = Result.fail([{ path: "", message: "A check of the model cannot be run on this" }])

describe("validator", () => {
  it("a check that throws refuses the record, and no node stops for it (D2)", () => {
    const parsed = Schema.makeFilter((text: string) => new URL(text).protocol === "https:")
    const validate = validator(Schema.Struct({ url: Schema.String.check(parsed) }))
    assert.deepStrictEqual(validate({ url: "https://x/" }), Result.succeed({ url: "https://x/" }))
    assert.isTrue(Result.isFailure(validate({ url: "http://x/" })))
    assert.deepStrictEqual(validate({ url: "no url" }), refused)
  })

  it("a check that waits for something refuses the record: a decision waits for nothing (D2)", () => {
    const slow = Schema.String.pipe(
      Schema.decode({
        decode: SchemaGetter.transformEffect((text: string) => Effect.promise(() => Promise.resolve(text))),
        encode: SchemaGetter.passthrough()
      })
    )
    assert.deepStrictEqual(validator(Schema.Struct({ text: slow }))({ text: "x" }), refused)
  })

  it("the errors of a wrong record stay small, however long a client's keys are", () => {
    const validate = validator(Schema.Struct({ kind: Schema.Literals(["a", "b"]) }))
    const long = "x".repeat(100_000)
    const told = validate({ kind: long, [long]: 1, [`${long}y`]: 1 })
    assert.isTrue(Result.isFailure(told))
    assert.isBelow(JSON.stringify(told).length, 4_000)
  })
})
