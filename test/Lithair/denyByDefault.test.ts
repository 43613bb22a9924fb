/** Deny by default, for the compiler and at start: with `auth`, each declaration says who may use it. docs/access.md. */
import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Access from "../../src/Access.ts"
import * as Command from "../../src/Command.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"

const fields = { id: Model.id(Schema.String), n: Model.replicate(Schema.Int) }
const access = Access.rules<"id" | "n">(() => ({
  read: Access.signedIn,
  create: Access.signedIn,
  update: Access.nobody,
  delete: Access.nobody
}))
class Guarded extends Model.Class<Guarded>("Guarded")(fields, { access }) {}
class Unserved extends Model.Class<Unserved>("Unserved")(fields, { http: false }) {}
class Bare extends Model.Class<Bare>("Bare")(fields) {}
class Indexed extends Model.Class<Indexed>("Indexed")(fields, { indexes: ["n"], http: true }) {}

const payload = Schema.Struct({})
const guarded = Command.make("guarded", { payload, success: Schema.Void, access: Access.signedIn })
const bare = Command.make("bare", { payload, success: Schema.Void })

const folded = { from: [Guarded], version: 1, state: Schema.Int, initial: 0, evolve: (state: number) => state }
const read = Projection.make("read", { ...folded, access: Access.signedIn })
const unread = Projection.make("unread", { ...folded, http: false })
const open = Projection.make("open", folded)
const keyed = Projection.make("keyed", { ...folded, key: () => "k", http: true })

const auth = { authenticators: [Access.apiKeys] } as const
/** For the compiler alone. */
const compiles = (_: () => unknown) => undefined

describe("with auth", () => {
  it("an application compiles whose declarations all say who may use them", () => {
    compiles(() =>
      Lithair.layer({ models: [Guarded, Unserved], commands: [guarded], projections: [read, unread], auth })
    )
    compiles(() => Lithair.layerHttp({ models: [Guarded, Unserved], auth }))
    // Without it, and where the application guards itself, no declaration needs to say anything.
    compiles(() => Lithair.layer({ models: [Bare], commands: [bare], projections: [open, keyed] }))
    compiles(() => Lithair.layerHttp({ models: [Bare, Guarded], auth: Access.external }))
  })

  it("one does not compile with a model, command or projection that says nothing", () => {
    // @ts-expect-error: Bare has neither access nor http: false.
    compiles(() => Lithair.layer({ models: [Guarded, Bare], auth }))
    // @ts-expect-error: nor has Indexed.
    compiles(() => Lithair.layerHttp({ models: [Indexed], auth }))
    // @ts-expect-error: the command has no access.
    compiles(() => Lithair.layer({ models: [Guarded], commands: [guarded, bare], auth }))
    // @ts-expect-error: the projection has neither.
    compiles(() => Lithair.layer({ models: [Guarded], projections: [read, open], auth }))
    // @ts-expect-error: nor has the one with keys.
    compiles(() => Lithair.layerHttp({ models: [Guarded], projections: [keyed], auth }))
  })

  it("one whose types are too wide to tell does not start", () => {
    const wide = (application: Lithair.Application<never, Command.Any>) => () => Lithair.layer(application)
    assert.throws(wide({ models: [Guarded, Bare], auth }), /Model "Bare" has no access/)
    assert.throws(wide({ models: [Guarded], commands: [bare], auth }), /Command "bare" has no access/)
    assert.throws(wide({ models: [Guarded], projections: [open], auth }), /Projection "open" has no access/)
    wide({ models: [Guarded, Unserved], commands: [guarded], projections: [read, unread], auth })()
  })
})
