/** What an application's own routes deny stands in the audit log, with the rule if they name one. docs/access.md. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Schema } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup } from "effect/http-api"
import * as Access from "../../src/Access.ts"
import * as Http from "../../src/Http.ts"
import * as Model from "../../src/Model.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { ask, makeKey } from "../Access/Notes.ts"

class Note extends Model.Class<Note>("Note")(
  { id: Model.id(Schema.String), text: Model.replicate(Schema.String) },
  {
    access: Access.rules(({ who }) => ({
      read: Access.signedIn,
      create: who.is("staff"),
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}

const writes = Effect.gen(function* () {
  const caller = yield* Effect.orDie(Http.caller)
  const { records } = yield* Repository.as(caller)
  return yield* records(Note).create({ id: "n", text: "x" })
})

const Api = HttpApi.make("own").add(
  HttpApiGroup.make("own").add(HttpApiEndpoint.post("write", "/own/:shelf", { success: Schema.Void }))
)
const own = HttpApiBuilder.group(
  Api,
  "own",
  Effect.fnUntraced(function* (handlers) {
    return handlers.handle("write", () => Effect.asVoid(Effect.orDie(writes)))
  })
)

const routes = Layer.mergeAll(
  HttpRouter.add("POST", "/raw", Effect.as(writes, HttpServerResponse.empty())),
  HttpRouter.add("GET", "/shut/:door", HttpServerResponse.empty({ status: 403 })),
  HttpRouter.add("GET", "/open", HttpServerResponse.empty({ status: 204 })),
  HttpApiBuilder.layer(Api).pipe(Layer.provide(own)),
  Http.layerApi(),
  Http.layerAdmin
)

describe.each([
  ["", routes],
  [", where every other path is answered with 404", Layer.merge(routes, Http.layerNotFound)]
] as const)("the audit log%s", (_, mounted) => {
  it.effect("has what an application's own routes deny, by their templates, and nothing that they allow", () => {
    const logged: Array<string | null> = []
    const edge = { requestLog: ({ route }: Http.LoggedRequest) => void logged.push(route) }
    const said: Array<string> = []
    const logger = Logger.make(({ message }) => void said.push(String(message)))
    return Effect.gen(function* () {
      const { on } = yield* TestCluster
      const { key, principal } = yield* on("n1", makeKey("ada"))
      const statuses = yield* on(
        "n1",
        Effect.forEach(
          [
            ask("GET", "/open", { key }),
            ask("POST", "/raw", { key }),
            ask("POST", "/own/top?token=hush", { key }),
            ask("GET", "/shut/front", { key }),
            ask("POST", "/raw", { key: "lk1_0000000000000000_bad" })
          ],
          (asked) => Effect.map(asked, ({ status }) => status)
        )
      )
      assert.deepStrictEqual(statuses, [204, 403, 403, 403, 401])
      const lines = said.flatMap((line) => (line.startsWith("Audit: ") ? [JSON.parse(line.slice(7))] : []))
      const denied = lines.filter(({ audit }) => audit === "denied")
      const common = { audit: "denied", from: "127.0.0.1" }
      const byRule = { who: principal, model: "Note", action: "create", status: 403, problem: "forbidden" }
      assert.deepStrictEqual(denied, [
        { ...common, ...byRule, what: "POST /raw" },
        { ...common, ...byRule, what: "POST /own/:shelf" },
        { ...common, who: "anonymous", what: "GET /shut/:door", model: "_routes", action: "request", status: 403 },
        {
          ...common,
          who: "anonymous",
          what: "POST /raw",
          model: "_credentials",
          action: "authenticate",
          status: 401,
          problem: "unauthenticated"
        }
      ])
      assert.includeMembers(logged, ["/open", "/raw", "/own/:shelf", "/shut/:door"])
      const { body: metrics } = yield* on("n1", ask("GET", "/metrics"))
      assert.include(metrics, 'lithair_access_denied_total{model="_routes",action="request"} 1')
      assert.include(metrics, 'lithair_access_denied_total{model="Note",action="create"} 2')
    }).pipe(
      Effect.provide(
        TestCluster.layer({ models: [Note], auth: { authenticators: [Access.apiKeys] }, edge, routes: mounted })
      ),
      Effect.provide(Logger.layer([logger]))
    )
  })
})
