/** Changes and live queries under rules: what comes into a reader's sight, what leaves it, and when the stream ends. docs/access.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import type * as Access from "../../src/Access.ts"
import * as Repository from "../../src/Repository.ts"
import { ask, makeKey, Note, Plan, people, provide } from "./Notes.ts"

const principal = (id: string, roles: ReadonlyArray<string> = []): Access.Principal => ({
  _tag: "Principal",
  id,
  roles,
  claims: {}
})

type Told = Repository.Told<typeof Note>

/** Follows the notes for a caller in the background, in the scope of the program. Returns what it is told. */
const following = Effect.fnUntraced(function* (caller: Access.Caller, options: Repository.ChangesOptions = {}) {
  const told: Array<Told> = []
  const { records } = yield* Repository.as(caller)
  const fiber = yield* Effect.forkScoped(
    Stream.runForEach(records(Note).changes(options), (each) => Effect.sync(() => void told.push(each)))
  )
  // In the time of the cluster, which is virtual.
  yield* Effect.sleep("1 second")
  return { told, fiber }
})

const briefly = (told: ReadonlyArray<Told>) =>
  told.flatMap((each) => (each.type === "bookmark" ? [] : [`${each.type} ${each.id}`]))

const records = Repository.Repository.use(({ records }) => Effect.succeed(records))

describe("changes under a rule", () => {
  it.effect("tell what is in sight, what comes into it and what leaves it, and nothing else", () =>
    Effect.gen(function* () {
      const { ada, bob, on, sam } = yield* people
      const bobs = (method: "POST" | "PATCH", path: string, body: unknown) => ask(method, path, { key: bob.key, body })
      yield* on(
        "n2",
        Effect.gen(function* () {
          const { told } = yield* following(principal(ada.principal))
          const both = yield* Effect.forEach(["x", "y"], (id) =>
            bobs("POST", "/api/notes", { id, rank: 1, teamId: null })
          )
          assert.deepStrictEqual(
            both.map(({ status }) => status),
            [201, 201]
          )
          // Hidden before and after.
          yield* bobs("PATCH", "/api/notes/x", { rank: 2 })
          // Into the team of Ada, changed in it, and out of it.
          yield* bobs("PATCH", "/api/notes/x", { teamId: "red" })
          yield* bobs("PATCH", "/api/notes/x", { rank: 3 })
          yield* bobs("PATCH", "/api/notes/x", { teamId: "blue" })
          yield* bobs("PATCH", "/api/notes/x", { rank: 4 })
          // In one entry: out, in, changed.
          const ops = [{ teamId: "red" }, { teamId: null }, { teamId: "red" }, { rank: 9 }].map((data) => ({
            op: "patch",
            model: "Note",
            id: "y",
            data
          }))
          assert.strictEqual((yield* bobs("POST", "/api/_tx", { ops })).status, 200)
          yield* bobs("POST", "/api/notes", { id: "z", rank: 1, teamId: "red" })
          for (const id of ["x", "y"]) yield* ask("DELETE", `/api/notes/${id}`, { key: sam.key })
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(briefly(told), [
            "record x",
            "updated x",
            "left x",
            "record y",
            "left y",
            "record y",
            "updated y",
            "created z",
            "deleted y"
          ])
          for (const each of told) if ("row" in each) assert.notProperty(each.row, "pin")
          // The places of an entry count what this reader is told, and not the changes of others.
          const [of] = told.filter((each) => each.type === "record" && each.id === "x")
          assert.match(of!.position, /^\d+\.0![0-9a-z]{14}$/)
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("follow a caller who leaves a team and joins one, while the stream is open", () =>
    Effect.gen(function* () {
      const { ada, on, sam } = yield* people
      yield* on(
        "n3",
        Effect.gen(function* () {
          const { told } = yield* following(principal(ada.principal), { initial: true })
          assert.deepStrictEqual(briefly(told), ["record of-ada", "record of-red"])
          assert.strictEqual((yield* ask("DELETE", "/api/memberships/m1", { key: sam.key })).status, 204)
          yield* Effect.sleep("1 second")
          yield* (yield* records)(Note).patch("of-red", { rank: 5 })
          yield* (yield* records)(Note).patch("of-ada", { rank: 6 })
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(briefly(told).slice(2), ["left of-red", "updated of-ada"])
          const body = { id: "m2", userId: ada.principal, teamId: "red" }
          assert.strictEqual((yield* ask("POST", "/api/memberships", { key: sam.key, body })).status, 201)
          yield* Effect.sleep("1 second")
          yield* (yield* records)(Note).patch("of-red", { rank: 7 })
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(briefly(told).slice(4), ["record of-red", "updated of-red"])
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("go on at another node, and start over if the caller may read other records by then", () =>
    Effect.gen(function* () {
      const { ada, on, sam } = yield* people
      const resumed = (node: string, after: string, who: Access.Caller) =>
        on(
          node,
          Effect.scoped(
            Effect.flatMap(following(who, { after }), ({ told, fiber }) =>
              Effect.map(
                Effect.sync(() => fiber.pollUnsafe()),
                (exit) => ({ told: briefly(told), exit })
              )
            )
          )
        )
      const first = yield* on("n1", Effect.scoped(following(principal(ada.principal), { after: "0" })))
      assert.deepStrictEqual(briefly(first.told), ["created of-ada", "created of-red"])
      const [own] = first.told.filter(({ type }) => type === "created")
      const again = yield* resumed("n2", own!.position, principal(ada.principal))
      assert.deepStrictEqual(again.told, ["created of-red"])
      const { position } = first.told.at(-1)!
      const startsOver = (exit: unknown) => JSON.stringify(exit)?.includes("changes-gone") === true
      // Staff reads every record, and another reader other ones.
      for (const who of [
        principal(sam.principal, ["staff"]),
        principal("nobody"),
        principal(ada.principal, ["auditor"])
      ]) {
        assert.isTrue(startsOver((yield* resumed("n2", position, who)).exit), who.id)
      }
      assert.isFalse(startsOver((yield* resumed("n2", position, principal(ada.principal))).exit))
      yield* on("n1", ask("DELETE", "/api/memberships/m1", { key: sam.key }))
      assert.isTrue(startsOver((yield* resumed("n2", position, principal(ada.principal))).exit))
    }).pipe(provide)
  )

  it.effect("start over for a reader of some records when one is erased, and tell who reads all of them", () =>
    Effect.gen(function* () {
      const { ada, on, sam } = yield* people
      yield* on(
        "n1",
        Effect.gen(function* () {
          const own = yield* following(principal(ada.principal), { initial: true })
          const staff = yield* following(principal(sam.principal, ["staff"]))
          const erasing = ask("POST", "/_admin/api/erasures", { body: { model: "Note", id: "of-bob" } })
          assert.include([200, 201, 202], (yield* erasing).status)
          yield* Effect.sleep("1 second")
          assert.include(JSON.stringify(own.fiber.pollUnsafe()), "changes-gone")
          assert.notInclude(JSON.stringify(own.told), "of-bob")
          assert.deepStrictEqual(briefly(staff.told), ["erased of-bob"])
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("tell nothing of an erased record, also from a large entry that others have read before", () =>
    Effect.gen(function* () {
      const { bob, on, sam } = yield* people
      yield* on(
        "n1",
        Effect.gen(function* () {
          const ops = Array.from({ length: 70 }, (_, at) => ({
            op: "create",
            model: "Note",
            data: { id: `of-many-${at}`, rank: 1, teamId: null }
          }))
          assert.strictEqual((yield* ask("POST", "/api/_tx", { key: bob.key, body: { ops } })).status, 200)
          const follow = Effect.map(following(principal(sam.principal, ["staff"]), { after: "0" }), ({ told }) =>
            briefly(told).filter((each) => each.endsWith(" of-many-68"))
          )
          assert.deepStrictEqual(yield* follow, ["created of-many-68"])
          yield* ask("POST", "/_admin/api/erasures", { body: { model: "Note", id: "of-many-68" } })
          assert.deepStrictEqual(yield* follow, ["erased of-many-68"])
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("show a masked field to those of its roles alone", () =>
    Effect.gen(function* () {
      const { ada, on } = yield* people
      const shown = (roles: ReadonlyArray<string>) =>
        on(
          "n2",
          Effect.scoped(
            Effect.map(following(principal(ada.principal, roles), { initial: true }), ({ told }) =>
              told.flatMap((each) => ("row" in each ? [each.row.mark] : []))
            )
          )
        )
      assert.deepStrictEqual(yield* shown([]), [undefined, undefined])
      assert.deepStrictEqual(yield* shown(["auditor"]), ["none", "none"])
    }).pipe(provide)
  )
})

describe("a stream", () => {
  it.effect("ends when its credential is revoked, and when it expires, though nothing is told meanwhile", () =>
    Effect.gen(function* () {
      const { ada, on } = yield* people
      for (const path of ["/api/notes/changes", "/api/notes/live", "/api/_changes?models=notes,plans"]) {
        const made = yield* on("n1", makeKey("staff", { roles: ["staff"] }))
        const text = yield* on(
          "n1",
          Effect.gen(function* () {
            const reading = yield* Effect.forkChild(ask("GET", path, { key: made.key }))
            yield* Effect.sleep("2 seconds")
            assert.isUndefined(reading.pollUnsafe(), path)
            assert.strictEqual((yield* ask("DELETE", `/_admin/api/keys/${made.id}`)).status, 204)
            const late = { id: "late", rank: 1, teamId: null }
            assert.include([201, 409], (yield* ask("POST", "/api/notes", { key: ada.key, body: late })).status)
            yield* ask("PATCH", "/api/notes/late", { key: ada.key, body: { rank: path.length } })
            return (yield* Fiber.join(reading)).body as string
          })
        )
        assert.include(text, "event: end", path)
        assert.notInclude(text, `"rank":${path.length}`, path)
        assert.include(text, "urn:lithair:problem:unauthenticated", path)
        const brief = yield* on("n1", makeKey("brief", { roles: ["staff"], expiresInSeconds: 30 }))
        const ended = yield* on(
          "n1",
          Effect.gen(function* () {
            const reading = yield* Effect.forkChild(ask("GET", path, { key: brief.key }))
            yield* Effect.sleep("29 seconds")
            assert.isUndefined(reading.pollUnsafe(), path)
            yield* Effect.sleep("2 seconds")
            assert.isDefined(reading.pollUnsafe(), `${path} goes on after its key has expired`)
            return (yield* Fiber.join(reading)).body as string
          })
        )
        assert.include(ended, "urn:lithair:problem:unauthenticated", path)
      }
    }).pipe(provide)
  )
})

describe("a live query under a rule", () => {
  const pagesOf = Effect.fnUntraced(function* (
    caller: Access.Caller,
    options: Repository.LiveOptions<typeof Note> = {}
  ) {
    const pages: Array<Repository.LivePage<typeof Note>> = []
    const { records } = yield* Repository.as(caller)
    yield* Effect.forkScoped(
      Stream.runForEach(records(Note).live(options), (page) => Effect.sync(() => void pages.push(page)))
    )
    yield* Effect.sleep("1 second")
    return () => pages.at(-1)!.items.map(({ row }) => row.id)
  })

  it.effect("of several branches and sets shows the caller's records, also when its teams change", () =>
    Effect.gen(function* () {
      const { ada, bob, on, sam } = yield* people
      yield* on(
        "n2",
        Effect.gen(function* () {
          const ids = yield* pagesOf(principal(ada.principal))
          const staff = yield* pagesOf(principal(sam.principal, ["staff"]))
          assert.deepStrictEqual(
            [ids(), staff()],
            [
              ["of-ada", "of-red"],
              ["of-ada", "of-bob", "of-red"]
            ]
          )
          yield* ask("PATCH", "/api/notes/of-bob", { key: bob.key, body: { teamId: "red" } })
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(ids(), ["of-ada", "of-bob", "of-red"])
          yield* ask("PATCH", "/api/notes/of-red", { key: bob.key, body: { teamId: "blue" } })
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(ids(), ["of-ada", "of-bob"])
          const body = { id: "m2", userId: ada.principal, teamId: "blue" }
          assert.strictEqual((yield* ask("POST", "/api/memberships", { key: sam.key, body })).status, 201)
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(ids(), ["of-ada", "of-bob", "of-red"])
          for (const id of ["m1", "m2"]) yield* ask("DELETE", `/api/memberships/${id}`, { key: sam.key })
          yield* Effect.sleep("1 second")
          assert.deepStrictEqual(ids(), ["of-ada"])
        }).pipe(Effect.scoped)
      )
    }).pipe(provide)
  )

  it.effect("of one branch shows the caller's records alone", () =>
    Effect.gen(function* () {
      const { ada, bob, on } = yield* people
      const post = (id: string, key: string) => on("n1", ask("POST", "/api/plans", { key, body: { id, text: "t" } }))
      yield* post("a1", ada.key)
      yield* post("b1", bob.key)
      const first = Effect.flatMap(Repository.as(principal(ada.principal)), ({ records }) =>
        Effect.flatMap(Stream.runHead(records(Plan).live()), Effect.fromOption)
      )
      const page = yield* on("n2", Effect.scoped(first))
      assert.deepStrictEqual(
        page.items.map(({ row }) => row.id),
        ["a1"]
      )
    }).pipe(provide)
  )
})

describe("a masked field", () => {
  it.effect("is not shown, filtered, ordered, selected or set without its role, on any route", () =>
    Effect.gen(function* () {
      const { ada, bob, on, sam } = yield* people
      const auditor = yield* on("n1", makeKey("auditor", { roles: ["auditor", "staff"] }))
      const own = Repository.Repository.use(({ records }) => records(Note).patch("of-bob", { mark: "seen" }))
      yield* on("n1", own)
      const get = (path: string, key: string) => on("n2", ask("GET", path, { key }))
      for (const [key, mark] of [
        [bob.key, undefined],
        [auditor.key, "seen"],
        [sam.key, "seen"]
      ] as const) {
        assert.strictEqual((yield* get("/api/notes/of-bob", key)).body.mark, mark)
        const { items } = (yield* get("/api/notes?field.id=eq.of-bob", key)).body
        assert.strictEqual(items[0].mark, mark)
        const past = (yield* get("/api/notes/of-bob/history", key)).body.items
        assert.strictEqual(past.at(-1).data.mark, mark)
        assert.strictEqual((yield* get("/api/notes/of-bob?at=2", key)).body.mark, mark)
        for (const query of ["mark=eq.seen", "order=mark", "select=id,mark"]) {
          const status = mark === undefined ? 400 : 200
          assert.strictEqual((yield* get(`/api/notes?${query}`, key)).status, status, query)
        }
        const live = mark === undefined ? 400 : 200
        const response = on("n2", Effect.timeoutOption(ask("GET", "/api/notes/live?mark=eq.seen", { key }), "1 second"))
        const answered = yield* response
        assert.strictEqual(answered._tag === "Some" ? answered.value.status : 200, live)
      }
      const write = (method: "POST" | "PUT" | "PATCH", path: string, body: unknown) =>
        on("n3", ask(method, path, { key: bob.key, body }))
      assert.strictEqual((yield* write("PATCH", "/api/notes/of-bob", { mark: "mine" })).status, 400)
      assert.strictEqual(
        (yield* write("PUT", "/api/notes/of-bob", { rank: 1, teamId: null, mark: "mine" })).status,
        400
      )
      assert.strictEqual((yield* write("POST", "/api/notes", { rank: 1, teamId: null, mark: "mine" })).status, 400)
      const ops = [{ op: "create", model: "Note", data: { rank: 1, teamId: null, mark: "mine" } }]
      assert.strictEqual((yield* write("POST", "/api/_tx", { ops })).status, 400)
      const put = yield* write("PUT", "/api/notes/of-bob", { rank: 8, teamId: null })
      assert.deepStrictEqual([put.status, put.body.rank, put.body.mark], [200, 8, undefined])
      assert.strictEqual((yield* get("/api/notes/of-bob", sam.key)).body.mark, "seen")
      const made = on(
        "n1",
        ask("POST", "/api/notes", { key: auditor.key, body: { id: "m", rank: 1, teamId: null, mark: "a" } })
      )
      assert.strictEqual((yield* made).body.mark, "a")
      const asAda = Effect.flatMap(Repository.as(principal(ada.principal)), ({ records }) =>
        Effect.all([
          Effect.flip(records(Note).list({ where: [["mark", "eq", "seen"]] })),
          Effect.flip(records(Note).list({ orderBy: [["mark", "asc"]] }))
        ])
      )
      for (const refused of yield* on("n1", asAda)) assert.deepInclude(refused, { _tag: "Problem", status: 400 })
    }).pipe(provide)
  )
})
