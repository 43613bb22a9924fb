/** A change of a mixed record in two parts. DESIGN D4. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Model from "../../src/Model.ts"
import { partOf } from "../../src/Repository/MixedParts.ts"

class User extends Model.Class<User>("User")({
  id: Model.id(Schema.String),
  email: Model.replicate(Schema.String),
  note: Model.local(Schema.NonEmptyString)
}) {}
const descriptor = Model.describe(User)

const put = { how: "put", data: { note: "n" } } as const

describe("partOf", () => {
  it("proposes what all nodes hold, and leaves this node what is its own; a PUT leaves it what to clear", () => {
    const parted = (operation: Parameters<typeof partOf>[1]) => Result.getOrThrow(partOf(descriptor, operation))
    const data = { email: "a@b", note: "n" }
    const create = { _tag: "Create", model: "User", data } as const
    assert.deepStrictEqual(parted(create), { operation: { ...create, data: { email: "a@b" } }, own: put })
    const patch = { _tag: "Patch", model: "User", id: "u", data: { note: null } } as const
    const own = { how: "patch", data: { note: null } } as const
    assert.deepStrictEqual(parted(patch), { operation: { ...patch, data: {} }, own })
    const bare = { _tag: "Put", model: "User", id: "u", data: { email: "a@b" } } as const
    assert.deepStrictEqual(parted(bare), { operation: bare, own: { how: "put", data: {} } })
    const gone = { _tag: "Delete", model: "User", id: "u" } as const
    assert.deepStrictEqual(parted(gone), { operation: gone, own: undefined })
  })

  it("refuses bad local fields before anything is proposed", () => {
    const wrong = partOf(descriptor, { _tag: "Create", model: "User", data: { email: "a@b", note: "" } })
    assert.strictEqual(Result.isFailure(wrong) && wrong.failure._tag, "InvalidRequest")
  })
})
