/** Who may do what, over HTTP on three nodes: credentials, rules on each route, and what refusals tell. docs/access.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Access from "../../src/Access.ts"
import { Serving } from "../../src/Http/Serving.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as DatedKey from "../../src/Machine/DatedKey.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { application, ask, Membership, makeKey, Note, people, provide, Session } from "./Notes.ts"

/** Every route of the API, with a body where it takes one, and whether one who may do little may use it. */
const routes = [
  ["GET", "/api/notes", undefined],
  ["GET", "/api/notes?count=exact", undefined],
  ["GET", "/api/notes/of-ada", undefined],
  ["GET", "/api/notes/of-ada?at=1", undefined],
  ["GET", "/api/notes/of-ada/history", undefined],
  ["GET", "/api/notes/changes", undefined],
  ["GET", "/api/notes/live", undefined],
  ["GET", "/api/_changes?models=notes", undefined],
  ["POST", "/api/_live", { queries: { a: "/api/notes" } }],
  ["POST", "/api/notes", { rank: 1, teamId: null }],
  ["POST", "/api/notes/_bulk", [{ rank: 1, teamId: null }]],
  ["PUT", "/api/notes/of-ada", { rank: 2, teamId: null }],
  ["PATCH", "/api/notes/of-ada", { rank: 2 }],
  ["DELETE", "/api/notes/of-ada", undefined],
  ["POST", "/api/_tx", { ops: [{ op: "patch", model: "Note", id: "of-ada", data: { rank: 2 } }] }],
  ["POST", "/api/_commands/like", { id: "of-ada" }],
  ["POST", "/api/_commands/purge", {}],
  ["GET", "/api/_projections", undefined],
  ["GET", "/api/_projections/count", undefined],
  ["GET", "/api/_operations/k", undefined],
  ["DELETE", "/api/_operations/k", undefined]
] as const

describe("every route", () => {
  it.effect("answers 401 without a credential, and with a wrong, doubled, expired or revoked one", () =>
    Effect.gen(function* () {
      const { on, ada } = yield* people
      const { advance } = yield* TestCluster
      const late = yield* on("n1", makeKey("late", { expiresInSeconds: 5 }))
      const gone = yield* on("n1", makeKey("gone"))
      assert.strictEqual((yield* on("n2", ask("DELETE", `/_admin/api/keys/${gone.id}`))).status, 204)
      yield* advance("6 seconds")
      const wrong = [
        undefined,
        { authorization: "Bearer nothing" },
        { authorization: "Basic YTpi" },
        { authorization: `Bearer lk1_${"a".repeat(16)}_${"b".repeat(43)}` },
        { authorization: `Bearer ${ada.key.slice(0, -1)}${ada.key.endsWith("A") ? "B" : "A"}` },
        { authorization: `Bearer ${ada.key} ${ada.key}` },
        { authorization: `Bearer ${late.key}` },
        { authorization: `Bearer ${gone.key}` }
      ]
      for (const [method, path, body] of routes) {
        for (const headers of wrong) {
          const answer = yield* on("n3", ask(method, path, { body, ...(headers === undefined ? {} : { headers }) }))
          assert.strictEqual(answer.status, 401, `${method} ${path} ${JSON.stringify(headers)}`)
          assert.strictEqual(answer.body.type, "urn:lithair:problem:unauthenticated")
          assert.include(answer.headers["www-authenticate"], "Bearer")
        }
      }
      // Nothing was done.
      const { body } = yield* on("n1", ask("GET", "/api/notes/of-ada", { key: ada.key }))
      assert.deepInclude(body, { rank: 1, likes: 0 })
    }).pipe(provide)
  )

  it.effect("refuses a caller without the right, and answers for a hidden record as for a missing one", () =>
    Effect.gen(function* () {
      const { ada, bob, on } = yield* people
      const as = (method: "GET" | "PUT" | "PATCH" | "DELETE", path: string, body?: unknown, headers = {}) =>
        Effect.map(on("n1", ask(method, path, { key: bob.key, body, headers })), ({ body, status }) => ({
          status,
          body: JSON.stringify(body).replaceAll(/of-ada|missing/g, "ID")
        }))
      for (const [method, path, body, headers] of [
        ["GET", "/api/notes/ID"],
        ["GET", "/api/notes/ID?at=1"],
        ["GET", "/api/notes/ID/history"],
        ["PATCH", "/api/notes/ID", { rank: 2 }],
        ["PATCH", "/api/notes/ID", { rank: 2 }, { "if-match": '"7"' }],
        ["PATCH", "/api/notes/ID", { rank: "wrong" }],
        ["PUT", "/api/notes/ID", { rank: 2, teamId: null }, { "if-match": '"1"' }],
        ["DELETE", "/api/notes/ID", undefined],
        ["DELETE", "/api/notes/ID", undefined, { "if-match": '"1"' }]
      ] as const) {
        const hidden = yield* as(method, path.replace("ID", "of-ada"), body, headers)
        const missing = yield* as(method, path.replace("ID", "missing"), body, headers)
        assert.strictEqual(hidden.status, 404, `${method} ${path}`)
        assert.deepStrictEqual(hidden, missing)
      }
      // Nobody but staff makes memberships, and this one is not his: a PUT tells neither whether its id is taken.
      const put = (id: string, body: unknown, headers = {}) =>
        Effect.map(on("n1", ask("PUT", `/api/memberships/${id}`, { key: bob.key, body, headers })), (answer) => ({
          status: answer.status,
          body: JSON.stringify(answer.body).replaceAll(id, "ID")
        }))
      const membership = { userId: bob.principal, teamId: "red" }
      assert.strictEqual((yield* put("m1", membership)).status, 403)
      for (const headers of [{}, { "if-match": "*" }, { "if-none-match": "*" }]) {
        assert.deepStrictEqual(yield* put("m1", membership, headers), yield* put("m2", membership, headers))
      }
      // He may make plans of his own: data that does not fit are refused alike, and a taken id is told to be taken.
      const plan = (id: string, body: unknown) =>
        Effect.map(on("n1", ask("PUT", `/api/plans/${id}`, { key: bob.key, body })), ({ body, status }) => ({
          status,
          body: JSON.stringify(body).replaceAll(id, "ID")
        }))
      assert.strictEqual(
        (yield* on("n1", ask("POST", "/api/plans", { key: ada.key, body: { id: "p1", text: "a" } }))).status,
        201
      )
      assert.deepStrictEqual(yield* plan("p1", { text: 1 }), yield* plan("p2", { text: 1 }))
      assert.deepStrictEqual(
        yield* plan("p1", { text: "b", ownerId: ada.principal }),
        yield* plan("p2", { text: "b", ownerId: ada.principal })
      )
      assert.strictEqual((yield* plan("p1", { text: "b" })).status, 404)
      // He may read the record, and not do this.
      assert.strictEqual((yield* as("DELETE", "/api/notes/of-bob")).status, 403)
      assert.strictEqual((yield* as("DELETE", "/api/notes/of-bob", undefined, { "if-match": '"9"' })).status, 403)
      // He may read no state and run no such command at all.
      assert.strictEqual((yield* as("GET", "/api/_projections/count")).status, 403)
      assert.strictEqual((yield* on("n2", ask("POST", "/api/_commands/purge", { key: bob.key, body: {} }))).status, 403)
      // Who may read none of the records follows none, and does not learn how far the log goes.
      for (const path of ["/api/audits", "/api/audits/changes", "/api/_changes?models=audits", "/api/audits/live"]) {
        assert.strictEqual((yield* as("GET", path)).status, 403, path)
      }
      for (const path of ["/api/audits/changes", "/api/_changes?models=notes,audits"]) {
        const after = `${path}${path.includes("?") ? "&" : "?"}after=999999`
        assert.strictEqual((yield* as("GET", after)).status, 403, after)
      }
      const { body } = yield* on("n1", ask("GET", "/api/notes?count=exact", { key: bob.key }))
      assert.deepStrictEqual([body.items.map(({ id }: { id: string }) => id), body.total], [["of-bob", "of-red"], 2])
    }).pipe(provide)
  )
})

describe("a caller", () => {
  it.effect("travels to the leader, is there in a handler, and stands in history", () =>
    Effect.gen(function* () {
      const { ada, on } = yield* people
      for (const node of ["n1", "n2", "n3"]) {
        const { body } = yield* on(node, ask("POST", "/api/_commands/like", { key: ada.key, body: { id: "of-ada" } }))
        assert.strictEqual(body.by, ada.principal)
      }
      const { body } = yield* on("n2", ask("GET", "/api/notes/of-ada/history", { key: ada.key }))
      assert.deepStrictEqual(
        body.items.map(({ actor }: { actor: string }) => actor),
        Array.from({ length: 4 }, () => ada.principal)
      )
      assert.notProperty(body.items[0].data, "pin")
    }).pipe(provide)
  )

  it.effect("owns its idempotency keys", () =>
    Effect.gen(function* () {
      const { ada, bob, on } = yield* people
      const headers = { "idempotency-key": "k" }
      const body = { rank: 5, teamId: null }
      const first = yield* on("n1", ask("POST", "/api/notes", { key: ada.key, body, headers }))
      const copy = yield* on("n2", ask("POST", "/api/notes", { key: ada.key, body, headers }))
      const other = yield* on("n3", ask("POST", "/api/notes", { key: bob.key, body, headers }))
      assert.deepStrictEqual([first.status, copy.status, other.status], [201, 201, 201])
      assert.strictEqual(copy.body.id, first.body.id)
      assert.notStrictEqual(other.body.id, first.body.id)
      const asked = yield* on("n3", ask("GET", "/api/_operations/k", { key: bob.key }))
      assert.strictEqual(asked.body.body.id, other.body.id)
      assert.notProperty(asked.body.body, "pin")
    }).pipe(provide)
  )

  it.effect("shares no idempotency key with the application itself, which history names", () =>
    Effect.gen(function* () {
      const { on, sam } = yield* people
      const data = { id: "p", userId: "x", teamId: "blue" }
      const own = Repository.Repository.use(({ records }) => records(Membership).create(data, { key: "k" }))
      yield* on("n1", own)
      const headers = { "idempotency-key": "k" }
      const anonymous = yield* on("n2", ask("POST", "/api/memberships", { body: data, headers }))
      assert.strictEqual(anonymous.status, 401)
      const { body } = yield* on("n2", ask("GET", "/api/memberships/p/history", { key: sam.key }))
      assert.strictEqual(body.items[0].actor, "lithair:system")
    }).pipe(provide)
  )

  it.effect("asks for dated keys alone if it has not signed in, and closes no others", () =>
    Effect.gen(function* () {
      const { on } = yield* people
      const dated = DatedKey.make({ afterIndex: 0, unique: "0a1b2c3d4e5f0a1b2c3d4e5f", fingerprint: "f" })
      for (const method of ["GET", "DELETE"] as const) {
        const asked = yield* on("n2", ask(method, `/api/_operations/${dated}`))
        assert.deepStrictEqual([asked.status, asked.body], [200, { state: "absent" }])
        assert.strictEqual((yield* on("n2", ask(method, "/api/_operations/k"))).status, 401)
      }
    }).pipe(provide)
  )

  it.effect("acts by the node's own repository: rules hold for it there, and not for the node itself", () =>
    Effect.gen(function* () {
      const { bob, on } = yield* people
      const own = Repository.Repository.use(({ records }) => records(Note).list())
      assert.lengthOf((yield* on("n1", own)).items, 3)
      const asBob = Effect.flatMap(
        Repository.as({ _tag: "Principal", id: bob.principal, roles: [], claims: {} }),
        ({ records }) => Effect.all([records(Note).list(), Effect.flip(records(Note).patch("of-ada", { rank: 3 }))])
      )
      const [page, refused] = yield* on("n2", asBob)
      assert.deepStrictEqual(
        page.items.map(({ row }) => row.id),
        ["of-bob", "of-red"]
      )
      assert.deepInclude(refused, { _tag: "Problem", status: 404 })
    }).pipe(provide)
  )
})

describe("a write", () => {
  it.effect("sets the owner, keeps fields of commands and hidden ones, and takes neither from clients", () =>
    Effect.gen(function* () {
      const { ada, bob, on, sam } = yield* people
      const as = (method: "POST" | "PUT" | "PATCH" | "GET", path: string, body?: unknown, key = ada.key) =>
        on("n2", ask(method, path, { key, body }))
      const made = yield* as("POST", "/api/notes", { id: "x", rank: 1, teamId: null })
      assert.deepStrictEqual(made.body, { id: "x", rank: 1, teamId: null, ownerId: ada.principal, likes: 0 })
      for (const wrong of [{ ownerId: bob.principal }, { likes: 5 }, { pin: "1" }, { ownerId: null }]) {
        const { status } = yield* as("POST", "/api/notes", { rank: 1, teamId: null, ...wrong })
        assert.strictEqual(status, 400, JSON.stringify(wrong))
        assert.strictEqual((yield* as("PATCH", "/api/notes/x", wrong)).status, 400, JSON.stringify(wrong))
        const bulk = yield* as("POST", "/api/notes/_bulk", [{ rank: 1, teamId: null, ...wrong }])
        assert.strictEqual(bulk.status, 400)
        const ops = [{ op: "create", model: "Note", data: { rank: 1, teamId: null, ...wrong } }]
        assert.strictEqual((yield* as("POST", "/api/_tx", { ops })).status, 400)
      }
      yield* on("n1", ask("POST", "/api/_commands/like", { key: ada.key, body: { id: "x" } }))
      yield* on(
        "n1",
        Repository.Repository.use(({ records }) => records(Note).patch("x", { pin: "4711" }))
      )
      const put = yield* as("PUT", "/api/notes/x", { rank: 9, teamId: null, likes: 77 })
      assert.deepStrictEqual(put.body, { id: "x", rank: 9, teamId: null, ownerId: ada.principal, likes: 1 })
      const row = yield* on(
        "n3",
        Repository.Repository.use(({ records }) => records(Note).get("x"))
      )
      assert.strictEqual(row._tag === "Some" ? row.value.row.pin : "", "4711")
      // Nobody gives a record away by an update, and nobody takes one.
      assert.strictEqual((yield* as("PATCH", "/api/notes/of-ada", { rank: 3 }, sam.key)).status, 403)
      for (const query of ["pin=eq.4711", "order=pin", "select=pin", "field.pin=like.4*"]) {
        assert.strictEqual((yield* as("GET", `/api/notes?${query}`)).status, 400, query)
      }
    }).pipe(provide)
  )

  it.effect("of a taken id or value tells that it is taken, and nothing else", () =>
    Effect.gen(function* () {
      const { ada, bob, on } = yield* people
      const post = (body: object, key = bob.key) => on("n1", ask("POST", "/api/notes", { key, body }))
      const taken = yield* post({ id: "of-ada", rank: 1, teamId: null })
      assert.strictEqual(taken.status, 409)
      assert.deepStrictEqual(Object.keys(taken.body).sort(), ["detail", "status", "title", "type"])
      assert.notInclude(JSON.stringify(taken.body), ada.principal)
      yield* post({ id: "s1", rank: 1, teamId: null, slug: "s" }, ada.key)
      const value = yield* post({ id: "s2", rank: 1, teamId: null, slug: "s" })
      assert.strictEqual(value.body.type, "urn:lithair:problem:unique-violation")
      assert.notInclude(JSON.stringify(value.body), "s1")
      assert.notInclude(JSON.stringify(value.body), ada.principal)
    }).pipe(provide)
  )

  it.effect("refers to records that its author may read alone, and a cascade takes none that it may not delete", () =>
    Effect.gen(function* () {
      const { ada, bob, on, sam } = yield* people
      const remark = (noteId: string, key: string) => on("n2", ask("POST", "/api/remarks", { key, body: { noteId } }))
      const hidden = yield* remark("of-ada", bob.key)
      const missing = yield* remark("nobody", bob.key)
      assert.deepStrictEqual([hidden.status, missing.status], [409, 409])
      assert.strictEqual(
        JSON.stringify(hidden.body).replaceAll("of-ada", "ID"),
        JSON.stringify(missing.body).replaceAll("nobody", "ID")
      )
      assert.strictEqual((yield* remark("of-ada", ada.key)).status, 201)
      // Ada alone may delete her remark, so Sam may not delete the note with it.
      const refused = yield* on("n1", ask("DELETE", "/api/notes/of-ada", { key: sam.key }))
      assert.strictEqual(refused.status, 403)
      assert.notInclude(JSON.stringify(refused.body), "Remark")
      assert.strictEqual((yield* on("n1", ask("DELETE", "/api/notes/of-bob", { key: sam.key }))).status, 204)
    }).pipe(provide)
  )

  it.effect("in a transaction is judged alone: one that is refused refuses all, and hidden models are unknown", () =>
    Effect.gen(function* () {
      const { bob, on } = yield* people
      const tx = (...ops: ReadonlyArray<object>) => on("n3", ask("POST", "/api/_tx", { key: bob.key, body: { ops } }))
      const mine = { op: "patch", model: "Note", id: "of-bob", data: { rank: 9 } }
      const refused = yield* tx(mine, { op: "patch", model: "Note", id: "of-ada", data: { rank: 9 } })
      assert.deepStrictEqual([refused.status, refused.body.opIndex], [404, 1])
      assert.strictEqual((yield* tx(mine, { op: "delete", model: "Note", id: "of-bob" })).status, 403)
      for (const model of ["Session", "lithair/ApiKey", "lithair/ReactionPosition"]) {
        assert.strictEqual((yield* tx({ op: "create", model, data: { token: "t" } })).status, 404, model)
      }
      assert.strictEqual((yield* on("n1", ask("GET", "/api/sessions", { key: bob.key }))).status, 404)
      const { body } = yield* on("n1", ask("GET", "/api/notes/of-bob", { key: bob.key }))
      assert.strictEqual(body.rank, 1)
    }).pipe(provide)
  )
})

it.effect("a set acts from its entry on: a caller who has left a team reads its notes no more", () =>
  Effect.gen(function* () {
    const { ada, on, sam } = yield* people
    const ids = Effect.map(on("n3", ask("GET", "/api/notes?count=exact", { key: ada.key })), ({ body }) => [
      body.items.map(({ id }: { id: string }) => id).join(),
      body.total
    ])
    assert.deepStrictEqual(yield* ids, ["of-ada,of-red", 2])
    assert.strictEqual((yield* on("n1", ask("DELETE", "/api/memberships/m1", { key: sam.key }))).status, 204)
    assert.deepStrictEqual(yield* ids, ["of-ada", 1])
    assert.strictEqual((yield* on("n2", ask("GET", "/api/notes/of-red", { key: ada.key }))).status, 404)
  }).pipe(provide)
)

describe("deny by default", () => {
  class Open extends Model.Class<Open>("Open")({
    id: Model.id(Note.fields.id),
    n: Model.replicate(Note.fields.rank)
  }) {}
  const { auth } = application

  it("refuses to start an application with a declaration that no rule guards", () => {
    const wide: Lithair.Application = { models: [...application.models, Open], auth }
    assert.throws(() => Lithair.layer(wide), /Model "Open" has no access/)
    assert.throws(
      () => Lithair.layer({ models: [Note], auth: { authenticators: [Access.apiKeys] } }),
      /uses the set teams, which auth does not declare/
    )
  })

  it.effect("lets an application guard itself, or be open", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const { isGuarded, isOpen } = yield* on("n1", Serving)
      assert.deepStrictEqual({ isGuarded, isOpen }, { isGuarded: false, isOpen: false })
      assert.strictEqual((yield* on("n1", ask("GET", "/api/opens"))).status, 200)
    }).pipe(Effect.provide(TestCluster.layer({ models: [Open, Session], auth: Access.external })))
  )

  it.effect("has an open node answer its own host alone", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const get = (path: string, headers: Record<string, string>) =>
        Effect.map(on("n1", ask("GET", path, { headers })), ({ body, status }) => [status, body.type ?? ""])
      const refused = [403, "urn:lithair:problem:open-mode"]
      for (const headers of [
        { host: "evil.example" },
        { host: "127.0.0.1.evil.example:8081" },
        { host: "localhost", origin: "http://evil.example" },
        { origin: "null" },
        { "x-forwarded-for": "10.0.0.1" },
        { forwarded: "for=10.0.0.1" }
      ]) {
        assert.deepStrictEqual(yield* get("/api/opens", headers), refused, JSON.stringify(headers))
        assert.deepStrictEqual(yield* get("/openapi.json", headers), refused, JSON.stringify(headers))
        assert.deepStrictEqual(yield* get("/metrics", headers), refused, JSON.stringify(headers))
        assert.strictEqual((yield* get("/livez", headers))[0], 200)
      }
      for (const headers of [
        { host: "localhost:1" },
        { host: "[::1]:8081" },
        { origin: "http://127.0.0.1:8081" },
        {}
      ]) {
        assert.strictEqual((yield* get("/api/opens", headers))[0], 200, JSON.stringify(headers))
      }
    }).pipe(Effect.provide(TestCluster.layer({ models: [Open] })))
  )
})
