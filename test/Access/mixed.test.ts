/** Rules on records of which each node keeps a part: a refusal tells nothing of the part either. docs/access.md. */
import { assert, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import * as Access from "../../src/Access.ts"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"
import { ask, makeKey } from "./Notes.ts"

/** A desk is its owner's alone, the node's part of it too. */
class Desk extends Model.Class<Desk>("Desk")(
  {
    id: Model.id(Schema.String),
    ownerId: Model.owner,
    title: Model.replicate(Schema.String),
    view: Model.local(Schema.optionalKey(Schema.Struct({ zoom: Schema.Int, page: Schema.Int })))
  },
  {
    access: Access.rules(({ row, who }) => ({
      read: row.ownerId.eq(who.id),
      create: Access.signedIn,
      update: row.ownerId.eq(who.id),
      delete: row.ownerId.eq(who.id)
    }))
  }
) {}

it.effect("a patch of a hidden record is refused like one of a missing record, whatever its local part is", () =>
  Effect.gen(function* () {
    const { on } = yield* TestCluster
    const ada = yield* on("n1", makeKey("ada"))
    const bob = yield* on("n1", makeKey("bob"))
    const desk = { title: "Oak", view: { zoom: 1, page: 2 } }
    for (const id of ["whole", "bare"]) {
      const body = id === "whole" ? { id, ...desk } : { id, title: "Oak" }
      assert.strictEqual((yield* on("n1", ask("POST", "/api/desks", { key: ada.key, body }))).status, 201)
    }
    const told = (id: string, body: unknown) =>
      Effect.gen(function* () {
        const alone = yield* on("n1", ask("PATCH", `/api/desks/${id}`, { key: bob.key, body }))
        const together = { ops: [{ op: "patch", model: "Desk", id, data: body }] }
        const one = yield* on("n1", ask("POST", "/api/_tx", { key: bob.key, body: together }))
        return [alone, one].map(({ body, status }) => [status, JSON.stringify(body).replaceAll(id, "ID")])
      })
    for (const body of [
      { title: "Ash", view: { zoom: 2 } },
      { title: "Ash", view: { zoom: null } },
      { title: "Ash", view: { zoom: "wide" } },
      { view: { zoom: 2 } },
      { view: null }
    ]) {
      const missing = yield* told("missing", body)
      for (const id of ["whole", "bare"]) assert.deepStrictEqual(yield* told(id, body), missing, JSON.stringify(body))
    }
    const { body } = yield* on("n1", ask("GET", "/api/desks/whole", { key: ada.key }))
    assert.deepInclude(body, desk)
    const patched = yield* on(
      "n1",
      ask("PATCH", "/api/desks/whole", { key: ada.key, body: { title: "Elm", view: { zoom: 3 } } })
    )
    assert.deepInclude(patched.body, { title: "Elm", view: { zoom: 3, page: 2 } })
  }).pipe(Effect.provide(TestCluster.layer({ models: [Desk], auth: { authenticators: [Access.apiKeys] } })))
)
