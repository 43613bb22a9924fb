/** Who may look after a cluster whose application has rules: every route of operators, and every kind of caller. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import { denialsMaxCount, denialsWindowMs } from "../../src/Http/Audit.ts"
import { TestCluster } from "../../src/Testing.ts"
import { application, ask, handlers, makeKey } from "../Access/Notes.ts"

/** Another host, as a proxy of this one tells it: programs of this host need no credential. */
const elsewhere = { "x-forwarded-for": "10.0.0.7" }

/** What each route asks of its caller, with a body that its schema takes. */
const routes: Readonly<Record<string, readonly [role: "viewer" | "operator", body?: unknown]>> = {
  "get /metrics": ["viewer"],
  "get /_admin/api/cluster": ["viewer"],
  "get /_admin/api/models": ["viewer"],
  "get /_admin/api/reactions": ["viewer"],
  "get /_admin/api/projections": ["viewer"],
  "get /_admin/api/backups": ["viewer"],
  "get /_admin/api/digest": ["viewer"],
  "get /_admin/api/members": ["viewer"],
  "get /_admin/api/backup": ["operator"],
  "get /_admin/api/keys": ["operator"],
  "post /_admin/api/keys": ["operator", { name: "more", roles: ["lithair:operator"] }],
  "delete /_admin/api/keys/{member}": ["operator"],
  "get /_admin/api/erasures": ["operator"],
  "post /_admin/api/erasures": ["operator", { model: "Note", id: "n" }],
  "get /_admin/api/erasures/{model}/{record}": ["operator"],
  "post /_admin/api/reactions/{reaction}": ["operator", { action: "skip", at: "1.0" }],
  "post /_admin/api/projections/{projection}": ["operator", { action: "skip", at: "1.0" }],
  "post /_admin/api/members": ["operator", { id: "x", address: "x:1", instanceId: "i" }],
  "put /_admin/api/members": ["operator", { voters: ["n1"] }],
  "delete /_admin/api/members/{member}": ["operator"],
  "post /_admin/api/members/{member}": ["operator"],
  "post /_admin/api/models:activate": ["operator", { without: ["n2"] }],
  "post /_admin/api/leader:transfer": ["operator", {}]
}

const requests = Object.entries(routes).map(([named, [role, body]]) => {
  const [method = "", path = ""] = named.split(" ")
  const verb = method.toUpperCase() as "GET" | "POST" | "PUT" | "DELETE"
  return { named, role, verb, body, path: path.replaceAll(/\{\w+\}/g, "n3") }
})

const provide = <A, E>(program: Effect.Effect<A, E, TestCluster>) =>
  program.pipe(Effect.provide(TestCluster.layer(application).pipe(Layer.provide(handlers))))

describe("the routes of operators", () => {
  it.effect("are those of the document", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const { paths } = (yield* on("n1", ask("GET", "/openapi.json"))).body as { paths: Record<string, object> }
      const documented = Object.entries(paths).flatMap(([path, operations]) =>
        path.startsWith("/_admin") || path === "/metrics"
          ? Object.keys(operations).map((method) => `${method} ${path}`)
          : []
      )
      assert.sameMembers(documented, Object.keys(routes))
    }).pipe(provide)
  )

  it.effect("refuse whom no credential admits: 401 for none and for a bad one, 403 for one without the role", () =>
    Effect.gen(function* () {
      const { advance, leader, on } = yield* TestCluster
      const late = yield* on("n1", makeKey("late", { roles: ["lithair:operator"], expiresInSeconds: 5 }))
      const gone = yield* on("n1", makeKey("gone", { roles: ["lithair:operator"] }))
      const staff = yield* on("n1", makeKey("staff", { roles: ["staff", "lithair:view", "operator"] }))
      const viewer = yield* on("n1", makeKey("viewer", { roles: ["lithair:viewer"] }))
      assert.strictEqual((yield* on("n2", ask("DELETE", `/_admin/api/keys/${gone.id}`))).status, 204)
      yield* advance("6 seconds")
      const members = (yield* on("n1", ask("GET", "/_admin/api/members"))).body
      const leading = yield* leader

      const refused = (headers: Record<string, string>, expected: number, roles: ReadonlyArray<string>) =>
        Effect.forEach(
          requests.filter(({ role }) => roles.includes(role)),
          Effect.fnUntraced(function* ({ body, named, path, verb }) {
            const { body: met, status } = yield* on(
              "n3",
              ask(verb, path, { body, headers: { ...elsewhere, ...headers } })
            )
            const kind = expected === 401 ? "unauthenticated" : "forbidden"
            assert.deepStrictEqual(
              [status, met.type],
              [expected, `urn:lithair:problem:${kind}`],
              `${named} ${JSON.stringify(headers)}`
            )
            for (const { key } of [late, gone, staff, viewer]) assert.notInclude(JSON.stringify(met), key)
          })
        )
      const both = ["viewer", "operator"]
      yield* refused({}, 401, both)
      for (const authorization of [
        "Bearer nothing",
        "Bearer undefined",
        "Basic YTpi",
        "",
        `Bearer lk1_${"a".repeat(16)}_${"b".repeat(43)}`,
        `Bearer ${viewer.key} ${viewer.key}`,
        `Bearer ${late.key}`,
        `Bearer ${gone.key}`
      ]) {
        yield* refused({ authorization }, 401, both)
      }
      yield* refused({ authorization: `Bearer ${staff.key}` }, 403, both)
      yield* refused({ authorization: `Bearer ${viewer.key}` }, 403, ["operator"])

      const after = (yield* on("n1", ask("GET", "/_admin/api/members"))).body
      assert.deepStrictEqual([after, yield* leader], [members, leading])
      const names = (yield* on("n1", ask("GET", "/_admin/api/keys"))).body.items.map(
        ({ name }: { name: string }) => name
      )
      assert.sameMembers(names, ["late", "staff", "viewer"])
    }).pipe(provide)
  )

  it.effect("answer a viewer where they only tell, and an operator everywhere", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      const viewer = yield* on("n1", makeKey("viewer", { roles: ["lithair:viewer"] }))
      const operator = yield* on("n1", makeKey("operator", { roles: ["lithair:operator"] }))
      for (const { body, named, path, role, verb } of requests) {
        for (const { key } of role === "viewer" ? [viewer, operator] : [operator]) {
          // Without `If-Match` and about members that are none: the answer shows that the caller was let in.
          const { status } = yield* on("n2", ask(verb, path.replace("n3", "none"), { key, body, headers: elsewhere }))
          assert.notInclude([401, 403], status, named)
          assert.isBelow(status, 500, named)
        }
      }
    }).pipe(provide)
  )

  it.effect(
    "take a key for operators only while the cluster has it, also on a node that has not heard of the end",
    () =>
      Effect.gen(function* () {
        const { heal, on, partition } = yield* TestCluster
        const { id, key } = yield* on("n1", makeKey("ada", { roles: ["lithair:operator"] }))
        const shown = { key, headers: elsewhere }
        const archive = on("n3", ask("GET", "/_admin/api/backup?consistency=local", shown))
        assert.strictEqual((yield* archive).status, 200)
        yield* partition(["n1", "n2"], ["n3"])
        assert.strictEqual((yield* on("n2", ask("DELETE", `/_admin/api/keys/${id}`))).status, 204)
        assert.strictEqual((yield* archive).status, 503)
        yield* heal
        assert.strictEqual((yield* archive).status, 401)
      }).pipe(provide)
  )

  it.effect("health needs nothing, and the documents tell no data", () =>
    Effect.gen(function* () {
      const { on } = yield* TestCluster
      for (const path of ["/livez", "/readyz", "/readyz?verbose", "/docs", "/openapi.json"]) {
        assert.strictEqual((yield* on("n1", ask("GET", path, { headers: elsewhere }))).status, 200, path)
      }
    }).pipe(provide)
  )
})

describe("the audit log", () => {
  it.effect("has a line for each act and each denial, with no credential, and denials are counted", () => {
    const lines: Array<Record<string, unknown>> = []
    const logger = Logger.make(({ message }) => {
      const [, line] = /^Audit: ([^\p{C}\p{Zl}\p{Zp}]*)$/u.exec(String(message)) ?? []
      if (line !== undefined) lines.push(JSON.parse(line))
    })
    return Effect.gen(function* () {
      const { on } = yield* TestCluster
      const ada = yield* on("n1", makeKey("ada", { roles: ["lithair:operator"] }))
      const bob = yield* on("n1", makeKey("bob"))
      lines.length = 0
      const as = { key: ada.key, headers: elsewhere }
      yield* on(
        "n1",
        ask("POST", "/_admin/api/keys?", { ...as, body: { name: "c\n\u2028\u0085\u202ey", roles: ["staff"] } })
      )
      yield* on("n1", ask("DELETE", "/_admin/api/members/n9?force=true", as))
      yield* on("n1", ask("GET", "/_admin/api/members", as))
      yield* on("n1", ask("DELETE", "/_admin/api/members/n9\u2028x", { headers: elsewhere }))
      yield* on("n1", ask("DELETE", "/_admin/api/members/n9", { key: bob.key, headers: elsewhere }))
      yield* on("n1", ask("POST", "/api/memberships", { key: bob.key, body: { id: "m", userId: "u", teamId: "t" } }))
      yield* on("n1", ask("POST", "/api/_commands/purge", { body: {} }))
      yield* on("n1", ask("GET", "/api/notes", { key: `${bob.key.slice(0, -1)}!` }))
      yield* on("n1", ask("GET", "/api/_projections/count", { key: bob.key }))

      const short = lines.map(({ audit, model, action, problem, status, what, who }) =>
        audit === "act" ? [who, what, status, problem] : [who, what, status, model, action]
      )
      assert.deepStrictEqual(short, [
        [ada.principal, "POST /_admin/api/keys", 201, undefined],
        [ada.principal, "DELETE /_admin/api/members/:member", 428, "precondition-required"],
        ["anonymous", "DELETE /_admin/api/members/:member", 401, "_admin", "operate"],
        [bob.principal, "DELETE /_admin/api/members/:member", 403, "_admin", "operate"],
        [bob.principal, "POST /api/memberships", 403, "Membership", "create"],
        ["anonymous", "POST /api/_commands/purge", 401, "purge", "run"],
        ["anonymous", "GET /api/notes", 401, "_credentials", "authenticate"],
        [bob.principal, "GET /api/_projections/count", 403, "count", "read"]
      ])
      assert.deepInclude(lines[0], {
        audit: "act",
        from: "127.0.0.1",
        name: "c\n\u2028\u0085\u202ey",
        roles: ["staff"]
      })
      assert.deepInclude(lines[1], { member: "n9", force: true })
      for (const { key } of [ada, bob]) assert.notInclude(JSON.stringify(lines), key.slice(20))

      const { body: metrics } = yield* on("n1", ask("GET", "/metrics"))
      assert.include(metrics, 'lithair_access_denied_total{model="_admin",action="operate"} 2')
      assert.include(metrics, 'lithair_access_denied_total{model="Membership",action="create"} 1')
    }).pipe(provide, Effect.provide(Logger.layer([logger])))
  })

  it.effect("logs so many denials of a flood, counts all, and says how many more there were", () => {
    const messages: Array<unknown> = []
    const logger = Logger.make(({ message }) => void messages.push(...(Array.isArray(message) ? message : [message])))
    return Effect.gen(function* () {
      const { advance, on } = yield* TestCluster
      const flood = Effect.replicateEffect(ask("GET", "/_admin/api/cluster", { headers: elsewhere }), 100)
      yield* on("n1", flood)
      assert.lengthOf(
        messages.filter((each) => String(each).startsWith('Audit: {"audit":"denied","who"')),
        denialsMaxCount
      )
      yield* advance(denialsWindowMs)
      // Nobody need be denied again.
      assert.include(messages, `Audit: {"audit":"denied","more":${100 - denialsMaxCount}}`)
      yield* on("n1", ask("GET", "/_admin/api/cluster", { headers: elsewhere }))
      const { body: metrics } = yield* on("n1", ask("GET", "/metrics"))
      assert.include(metrics, 'lithair_access_denied_total{model="_admin",action="view"} 101')
    }).pipe(provide, Effect.provide(Logger.layer([logger])))
  })
})
