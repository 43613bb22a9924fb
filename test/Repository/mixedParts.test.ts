/** A change of a mixed record in two parts. D4. */
import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import * as Model from "../../src/Model.ts"
import { partOf } from "../../src/Repository/MixedParts.ts"

class User extends Model.Class<User>("User")({
  id: Model.id(Schema.String),
  email: Model.replicate(Schema.String),
  note: Model.local(Schema.NonEmptyString),
  view: Model.local(Schema.Struct({ columns: Schema.Int, filter: Schema.NullOr(Schema.String) }))
}) {}
const descriptor = Model.describe(User)

const put = { how: "put", data: { note: "n" } } as const

describe("partOf", () => {
  it("proposes what all nodes hold, and leaves this node what is its own; a PUT leaves it what to clear", () => {
    const parted = (operation: Parameters<typeof partOf>[1]) =>
      Result.getOrThrow(partOf(descriptor, operation, undefined))
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
    const wrong = partOf(descriptor, { _tag: "Create", model: "User", data: { email: "a@b", note: "" } }, undefined)
    assert.strictEqual(Result.isFailure(wrong) && wrong.failure._tag, "InvalidRequest")
  })

  it("looks at a patch as it will be merged into what this node holds, where it knows that (RFC 7396)", () => {
    const isTaken = (view: unknown, held: Model.EncodedRecord | undefined) =>
      Result.isSuccess(partOf(descriptor, { _tag: "Patch", model: "User", id: "u", data: { view } }, held))
    const held = { view: { columns: 2, filter: "a" } }
    for (const view of [null, { columns: 3 }, { filter: null }, { columns: 3, filter: "b" }]) {
      assert.isTrue(isTaken(view, held), JSON.stringify(view))
    }
    for (const view of [1, { columns: "x" }, { columns: null }, { other: 1 }]) {
      assert.isFalse(isTaken(view, held), JSON.stringify(view))
    }
    assert.isFalse(isTaken({ columns: 3 }, {}), "there is nothing to merge it into")
    assert.isTrue(isTaken({ columns: 3 }, undefined), "what it is merged into is not known yet")
  })
})
