/** Rows as JSON: what is written is what is read again, whatever a model's schemas let through. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { codecsOf } from "../../src/Model/RowCodecs.ts"
import * as Model from "../../src/Model.ts"

class Loose extends Model.Class<Loose>("Loose")({
  id: Model.id(Schema.String),
  extra: Schema.Any.pipe(Model.replicate)
}) {}

describe("the codecs of a model", () => {
  const { decode, encodeField, encodeNew, encodePatch, encodeReplicated, encodeWhole } = codecsOf(Loose)

  it("a row with a value that is not JSON is refused: the log would hold another row than the leader decided on", () => {
    for (const extra of [undefined, Number.NaN, 10n, new Date(0), new Map(), { deep: [Number.POSITIVE_INFINITY] }]) {
      const whole = { id: "a", extra }
      const encoded = [encodeNew({ extra }), encodeWhole(whole), encodeReplicated(whole), encodePatch({ extra })]
      assert.isTrue([...encoded, encodeField("extra", extra)].every(Result.isFailure), String(extra))
    }
  })

  it("a row that is JSON comes back as the class", () => {
    const extra = { deep: [1, null] }
    const row = Result.getOrThrow(Result.flatMap(encodeWhole({ id: "a", extra }), decode))
    assert.instanceOf(row, Loose)
    assert.deepStrictEqual(row.extra, extra)
  })

  it("an unknown field is named", () => {
    assert.deepStrictEqual(
      encodeField("constructor", 1),
      Result.fail([{ path: "constructor", message: "Expected a field of the model" }])
    )
  })
})
