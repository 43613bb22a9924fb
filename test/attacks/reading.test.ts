/**
 * Attacks on what a reader may not see. Bob tries to learn of Ada's note by filters, orders, counts, entity tags, unique
 * values, references, transactions, history and idempotency keys. Each answer must be the same as if there were no such
 * note. A flood of 100,000 closed keys is tried in test/Machine/manyKeys.test.ts. docs/access.md.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { type Answered, layer, makeKey, type Sent, send } from "./Target.ts"

/** Ada has a note that only she reads. Bob has one of his own. Ids have one length, so that answers can be compared. */
const people = Effect.gen(function* () {
  const ada = yield* makeKey("ada")
  const bob = yield* makeKey("bob")
  const staff = yield* makeKey("sam", ["staff"])
  const made = [
    yield* send("POST", "/api/notes", { key: ada.key, body: { id: "secret", teamId: null, rank: 41, slug: "plan-b" } }),
    yield* send("POST", "/api/notes", { key: bob.key, body: { id: "public", teamId: null, rank: 7 } })
  ]
  assert.deepStrictEqual(
    made.map(({ status }) => status),
    [201, 201]
  )
  return { ada, bob, staff }
})

/** What an answer tells, without what differs from request to request: the node's position, the date, and the id asked for. */
const told = ({ headers, status, text }: Answered) => {
  const named = ["etag", "location", "link", "allow", "content-length", "idempotent-replayed", "vary"]
  const shown = Object.fromEntries(named.map((name) => [name, headers[name]]))
  return JSON.parse(JSON.stringify({ status, text, shown }).replaceAll(/secret|absent/g, "ID"))
}

/** Bob asks for the hidden note and for one that is not there, and hears the same. */
const asksForBoth = (key: string) =>
  Effect.fnUntraced(function* (
    method: string,
    pathOf: (id: string) => string,
    sentOf: (id: string) => Sent = () => ({})
  ) {
    const hidden = yield* send(method, pathOf("secret"), { key, ...sentOf("secret") })
    const missing = yield* send(method, pathOf("absent"), { key, ...sentOf("absent") })
    assert.deepStrictEqual(told(hidden), told(missing), `${method} ${pathOf("ID")}`)
    return hidden
  })

describe("a record that its reader may not see", () => {
  it.live("shows in no list, by whatever filter, order, page, selection or count", () =>
    Effect.gen(function* () {
      const { bob } = yield* people
      const queries = [
        "",
        "id=eq.secret",
        "id=in.secret,public",
        "rank=eq.41",
        "rank=gte.0",
        "rank=gt.40",
        "slug=eq.plan-b",
        "slug=like.plan*",
        "slug=is.notnull",
        "teamId=is.null",
        "likes=eq.0",
        "ownerId=neq.nobody",
        "order=rank.desc",
        "order=rank.asc&limit=1",
        "order=slug.desc",
        "select=rank",
        "select=id,slug",
        "limit=1"
      ]
      for (const query of queries) {
        for (const count of ["", "count=exact", "versions=true"]) {
          const whole = [query, count].filter((part) => part !== "").join("&")
          const { body, headers, status, text } = yield* send("GET", `/api/notes?${whole}`, { key: bob.key })
          assert.strictEqual(status, 200, `${whole}: ${text}`)
          assert.notInclude(text, "secret", whole)
          assert.notInclude(text, "plan-b", whole)
          assert.isAtMost(body.items.length, 1, whole)
          if (count === "count=exact") assert.strictEqual(body.total, body.items.length, whole)
          assert.isNull(body.next, whole)
          assert.isUndefined(headers.link, whole)
        }
      }
    }).pipe(Effect.provide(layer()))
  )

  it.live("has hidden fields that nobody filters, orders or selects by", () =>
    Effect.gen(function* () {
      const { bob } = yield* people
      for (const query of [
        "pin=eq.0000",
        "pin=like.0*",
        "order=pin.asc",
        "select=pin",
        "select=id,pin",
        "field.pin=eq.0"
      ]) {
        const { status, text } = yield* send("GET", `/api/notes?${query}`, { key: bob.key })
        assert.strictEqual(status, 400, query)
        assert.notInclude(text, "0000", query)
      }
      const { text } = yield* send("GET", "/api/notes/public", { key: bob.key })
      assert.notInclude(text, "pin")
    }).pipe(Effect.provide(layer()))
  )

  it.live("answers each verb as if it were missing, with any entity tag, in the past too", () =>
    Effect.gen(function* () {
      const { ada, bob } = yield* people
      const ask = asksForBoth(bob.key)
      const at = (id: string) => `/api/notes/${id}`
      for (const headers of [
        {},
        { "if-match": '"1"' },
        { "if-match": '"2"' },
        { "if-match": "*" },
        { "if-none-match": '"1"' },
        { "if-none-match": "*" }
      ] as const) {
        const isMatch = !("if-none-match" in headers)
        yield* ask("GET", at, () => ({ headers }))
        yield* ask(
          "GET",
          (id) => `${at(id)}?consistency=local`,
          () => ({ headers })
        )
        if (isMatch) {
          yield* ask("PATCH", at, () => ({ headers, body: { rank: 1 } }))
          yield* ask("DELETE", at, () => ({ headers }))
          yield* ask("PUT", at, (id) => ({ headers, body: { id, rank: 1, teamId: null } })).pipe(
            // A PUT of a missing record creates it, if no condition stands against that.
            Effect.when(Effect.succeed("if-match" in headers))
          )
        }
      }
      for (const path of ["/history", "?at=1", "?at=2026-01-01T00:00:00Z", "?at=2999-01-01T00:00:00Z"]) {
        yield* ask("GET", (id) => `${at(id)}${path}`)
      }
      // The note is as Ada has left it.
      const { body, headers } = yield* send("GET", "/api/notes/secret", { key: ada.key })
      assert.deepStrictEqual([body.rank, headers.etag], [41, '"1"'])
    }).pipe(Effect.provide(layer()))
  )

  it.live("is no part of a transaction, and its refusal there tells nothing", () =>
    Effect.gen(function* () {
      const { bob } = yield* people
      const ask = asksForBoth(bob.key)
      const tx = (...ops: ReadonlyArray<object>) => ({ body: { ops } })
      for (const op of [
        { op: "patch", data: { rank: 1 } },
        { op: "patch", data: { rank: 41 } },
        { op: "patch", data: { rank: 1 }, ifVersion: 1 },
        { op: "delete" },
        { op: "delete", ifVersion: 2 }
      ]) {
        const own = { op: "patch", model: "Note", id: "public", data: { rank: 8 } }
        yield* ask(
          "POST",
          () => "/api/_tx",
          (id) => tx(own, { ...op, model: "Note", id })
        )
      }
      const { body } = yield* send("GET", "/api/notes/public", { key: bob.key })
      assert.strictEqual(body.rank, 7)
    }).pipe(Effect.provide(layer()))
  )

  it.live("tells by a unique value or an id that it is taken, and nothing else of it", () =>
    Effect.gen(function* () {
      const { ada, bob } = yield* people
      for (const body of [
        { id: "other", rank: 1, teamId: null, slug: "plan-b" },
        { id: "secret", rank: 1, teamId: null }
      ]) {
        const taken = yield* send("POST", "/api/notes", { key: bob.key, body })
        assert.strictEqual(taken.status, 409)
        for (const secret of [ada.principal, "41", "0000"]) assert.notInclude(taken.text, secret)
        if (body.id !== "secret") assert.notInclude(taken.text, "secret")
      }
      // One who may create no such record hears not even that.
      const ask = asksForBoth(bob.key)
      yield* ask(
        "PUT",
        (id) => `/api/memberships/${id}`,
        () => ({ body: { userId: "u", teamId: "t" } })
      )
    }).pipe(Effect.provide(layer()))
  )

  it.live("cannot be referred to, and blocks or is blocked by nothing that its reader may not see", () =>
    Effect.gen(function* () {
      const { ada, bob, staff } = yield* people
      const ask = asksForBoth(bob.key)
      const refused = yield* ask(
        "POST",
        () => "/api/remarks",
        (noteId) => ({ body: { noteId } })
      )
      assert.strictEqual(refused.status, 409)
      // So Bob's remark cannot keep Ada's note from being deleted.
      assert.strictEqual((yield* send("DELETE", "/api/notes/secret", { key: staff.key })).status, 204)
      // Ada's remark on Bob's note is impossible as well, and his note goes.
      const other = yield* send("POST", "/api/remarks", { key: ada.key, body: { noteId: "public" } })
      assert.strictEqual(other.status, 409)
      assert.strictEqual((yield* send("DELETE", "/api/notes/public", { key: staff.key })).status, 204)
    }).pipe(Effect.provide(layer()))
  )

  it.live("a remark by one who may read a note refuses its deletion whole, and the refusal does not show it", () =>
    Effect.gen(function* () {
      const { ada, staff } = yield* people
      const made = yield* send("POST", "/api/remarks", { key: ada.key, body: { id: "remark-1", noteId: "secret" } })
      assert.strictEqual(made.status, 201)
      const refused = yield* send("DELETE", "/api/notes/secret", { key: staff.key })
      assert.strictEqual(refused.status, 403)
      for (const shown of ["remark-1", "Remark", ada.principal]) assert.notInclude(refused.text, shown)
      assert.strictEqual((yield* send("GET", "/api/notes/secret", { key: staff.key })).status, 200)
    }).pipe(Effect.provide(layer()))
  )
})

describe("an idempotency key of somebody else", () => {
  it.live("tells nothing, closes nothing and replays nothing, guessed or known", () =>
    Effect.gen(function* () {
      const { ada, bob } = yield* people
      const headers = { "idempotency-key": "adas-key" }
      const body = { id: "keyed1", teamId: null, rank: 2 }
      const first = yield* send("POST", "/api/notes", { key: ada.key, headers, body })
      assert.strictEqual(first.status, 201)
      const asked = yield* send("GET", "/api/_operations/adas-key", { key: bob.key })
      const other = yield* send("GET", "/api/_operations/nobodys-key", { key: bob.key })
      assert.deepStrictEqual([asked.status, asked.text], [other.status, other.text])
      // Bob closes "adas-key" of his own, and that is another one.
      yield* send("DELETE", "/api/_operations/adas-key", { key: bob.key })
      yield* send("DELETE", "/api/_operations/adas-key-2", { key: bob.key })
      const again = yield* send("POST", "/api/notes", { key: ada.key, headers, body })
      assert.deepStrictEqual([again.status, again.headers["idempotent-replayed"]], [201, "true"])
      const next = { ...body, id: "keyed2" }
      const second = yield* send("POST", "/api/notes", {
        key: ada.key,
        headers: { "idempotency-key": "adas-key-2" },
        body: next
      })
      assert.strictEqual(second.status, 201)
      // Ada's answer is not Bob's, with the same request and key.
      const copied = yield* send("POST", "/api/notes", { key: bob.key, headers, body })
      assert.strictEqual(copied.body.type, "urn:lithair:problem:operation-closed")
      assert.notInclude(copied.text, ada.principal)
      // A dated key that the node gave to Ada says nothing to Bob, nor to nobody.
      const assigned = yield* send(
        "GET",
        `/api/_operations/${encodeURIComponent("~1.0a1b2c3d4e5f0a1b2c3d4e5f.fffffffffff")}`
      )
      assert.deepStrictEqual([assigned.status, assigned.body], [200, { state: "absent" }])
      assert.strictEqual((yield* send("GET", "/api/_operations/adas-key")).status, 401)
      assert.strictEqual((yield* send("DELETE", "/api/_operations/adas-key")).status, 401)
    }).pipe(Effect.provide(layer()))
  )

  it.live("is not used up by one who closes thousands: a rate holds the flooder, and nobody else", () =>
    Effect.gen(function* () {
      const { ada, bob } = yield* people
      const statuses = new Map<number, number>()
      for (let at = 0; at < 60; at++) {
        const { status } = yield* send("DELETE", `/api/_operations/flood-${at}`, { key: bob.key })
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
      assert.isAbove(statuses.get(429) ?? 0, 20)
      const headers = { "idempotency-key": "mine" }
      const made = yield* send("POST", "/api/notes", { key: ada.key, headers, body: { teamId: null, rank: 1 } })
      assert.strictEqual(made.status, 201)
    }).pipe(Effect.provide(layer({ edge: { principalRate: { perSecond: 1, burst: 20 } } })))
  )
})
