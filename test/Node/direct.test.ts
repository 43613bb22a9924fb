/**
 * Endpoints that a node's server serves before Effect's router: only where nothing stands before them, and with the same
 * bytes as the router.
 */
import { once } from "node:events"
import { createServer } from "node:http"
import { connect } from "node:net"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, describe, it } from "@effect/vitest"
import { ByteSize, Context, Effect, Exit, Layer, Schema, Tracer } from "effect"
import { HttpIncomingMessage, HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { HttpApi, HttpApiBuilder, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware } from "effect/http-api"
import { NetAddress } from "effect/net"
import * as Command from "../../src/Command.ts"
import { requestsMaxCount } from "../../src/Http/Admission.ts"
import { type Find, findIn } from "../../src/Http/DirectRoutes.ts"
import * as Http from "../../src/Http.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"
import { restMaxMs } from "../../src/Node/ReadingTurns.ts"
import { layerServer } from "../../src/node.ts"
import { settleNow } from "../../src/Raft/node/Settle.ts"
import { Records } from "../../src/Repository/Records.ts"

class Note extends Model.Class<Note>("Note")({
  id: Model.id(Schema.NonEmptyString),
  text: Schema.String.pipe(Model.replicate),
  draft: Schema.optionalKey(Schema.String)
}) {}

class Full extends Schema.TaggedError<Full>()("Full", { left: Schema.Int }, { httpApiStatus: 409 }) {}
const book = Command.make("book", {
  payload: Schema.Struct({ count: Schema.Int }),
  success: Schema.Struct({ booked: Schema.Int }),
  error: [Full]
})
const layerBook = Command.layer(book, ({ count }) =>
  count > 3 ? Effect.fail(new Full({ left: 3 })) : Effect.succeed({ booked: count })
)

const node = Lithair.layer({ models: [Note], commands: [book], insecureOpen: true }).pipe(
  Layer.provide(layerBook),
  Layer.provide(Lithair.layerTest),
  Layer.provide(Lithair.layerMemory)
)

/** How the server of a test serves: what it is asked for directly, and at which port. */
class Served extends Context.Service<Served, { readonly port: number; readonly find: () => Find | undefined }>()(
  "test/Served"
) {}

type Server = Layer.Layer<HttpServer.HttpServer, unknown>

/** Serves routes beside the node, and looks at what the server finds. */
const serving = <A, E, R>(
  routes: Layer.Layer<A, E, R>,
  options: Parameters<typeof HttpRouter.serve>[1] = {},
  server: Server = layerServer({ port: 0 }),
  /** What stands around the server alone, and not around the node. */
  around: <A, E, R>(served: Layer.Layer<A, E, R>) => Layer.Layer<A, E, R> = (served) => served
) => {
  let find: Find | undefined
  const watched = Layer.effect(
    HttpServer.HttpServer,
    Effect.map(HttpServer.HttpServer, ({ address, serve }) =>
      HttpServer.make({
        address,
        serve: Effect.fnUntraced(function* (app, middleware) {
          find = yield* findIn(app, middleware)
          yield* serve(app, middleware as never)
        })
      })
    )
  ).pipe(Layer.provide(server))
  const served = Layer.effect(
    Served,
    Effect.map(HttpServer.HttpServer, ({ address }) => {
      assert.isFalse(NetAddress.isUnixPathAddress(address))
      return Served.of({ port: (address as NetAddress.InetAddress).port, find: () => find })
    })
  )
  return served.pipe(
    Layer.provideMerge(
      around(
        HttpRouter.serve(routes, {
          disableLogger: true,
          disableListenLog: true,
          ...options
        } as never) as unknown as Layer.Layer<never, never, HttpServer.HttpServer>
      )
    ),
    Layer.provide(watched),
    Layer.provideMerge(node)
  ) as Layer.Layer<Served | Http.Serving>
}

const ask = (path: string, init: RequestInit = {}) =>
  Effect.flatMap(Served, ({ port }) => Effect.promise(() => fetch(`http://127.0.0.1:${port}${path}`, init)))

const create = (id: string) =>
  ask("/api/notes", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ id, text: "t" })
  })

/** Whether the server serves these directly. */
const isDirect = Effect.map(Served, ({ find }) => [
  find()?.("POST", "/api/notes") !== undefined,
  find()?.("GET", "/api/notes/a?consistency=local") !== undefined
])

const api = Http.layerApi()

/** A tracer that notes the names of its spans. */
const recorder = (names: Array<string>) =>
  Tracer.make({
    span: (options) => {
      names.push(options.name)
      return Tracer.nativeTracer.span(options)
    }
  })

/** A middleware that counts the requests that it sees. */
const counting = () => {
  const seen = { count: 0 }
  const middleware = <A, E, R>(app: Effect.Effect<A, E, R>) =>
    Effect.suspend(() => {
      seen.count++
      return app
    })
  return { seen, middleware }
}

describe("an endpoint is served directly", () => {
  it.live("where no middleware stands before it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* isDirect, [true, true])
      assert.strictEqual((yield* create("a")).status, 201)
      assert.strictEqual((yield* ask("/api/notes/a")).status, 200)
    }).pipe(Effect.provide(serving(Layer.mergeAll(api, Http.layerHealth, Http.layerNotFound))))
  )

  it.live("where the node's own tracer records spans", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* isDirect, [true, true])
    }).pipe(Effect.provide(serving(api).pipe(Layer.provide(Layer.succeed(Tracer.Tracer, recorder([]))))))
  )

  it.live("under each of its prefixes, and only under them", () =>
    Effect.gen(function* () {
      const { find } = yield* Served
      for (const path of ["/v1/api/notes", "/v2/x/api/notes"]) assert.isDefined(find()?.("POST", path), path)
      for (const path of ["/api/notes", "/v3/api/notes"]) assert.isUndefined(find()?.("POST", path), path)
      const made = yield* ask("/v1/api/notes", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: `{"id":"a","text":"t"}`
      })
      assert.deepStrictEqual([made.status, made.headers.get("location")], [201, "/v1/api/notes/a"])
      assert.strictEqual((yield* ask("/V1/api/notes")).status, 404)
    }).pipe(
      Effect.provide(serving(Layer.mergeAll(Http.layerApi({ prefix: "/v1" }), Http.layerApi({ prefix: "/v2/x" }))))
    )
  )

  it.live("beside an own API whose middleware sees its own requests", () =>
    Effect.gen(function* () {
      let count = 0
      class Counted extends HttpApiMiddleware.Service<Counted>()("test/Counted") {}
      const own = HttpApi.make("own").add(
        HttpApiGroup.make("own")
          .add(HttpApiEndpoint.get("hello", "/hello", { success: Schema.String }))
          .middleware(Counted)
      )
      const counted = Layer.succeed(Counted, (app) =>
        Effect.suspend(() => {
          count++
          return app
        })
      )
      const routes = HttpApiBuilder.layer(own).pipe(
        Layer.provide(
          HttpApiBuilder.group(own, "own", (handlers) => handlers.handle("hello", () => Effect.succeed("hi")))
        ),
        Layer.provide(counted)
      )
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* isDirect, [true, true])
        assert.strictEqual((yield* create("a")).status, 201)
        assert.strictEqual((yield* ask("/hello")).status, 200)
      }).pipe(Effect.provide(serving(Layer.mergeAll(routes, api))))
      assert.strictEqual(count, 1)
    })
  )
})

describe("the router serves an endpoint", () => {
  const { middleware, seen } = counting()
  const global = HttpRouter.middleware(middleware, { global: true })

  const compositions: ReadonlyArray<readonly [what: string, layer: () => Layer.Layer<Served | Http.Serving>]> = [
    ["behind a global middleware that was added before it", () => serving(Layer.provideMerge(api, global))],
    ["behind a global middleware that was added after it", () => serving(Layer.provideMerge(global, api))],
    [
      "behind a middleware that its layer was given",
      () => serving(Layer.provide(api, HttpRouter.middleware(middleware).layer))
    ],
    ["behind a middleware of the server", () => serving(api, { middleware })],
    [
      "behind a global middleware on a prefix of its router",
      () =>
        serving(
          Layer.merge(
            api,
            HttpRouter.use((router) => router.prefixed("/own").addGlobalMiddleware(middleware as never))
          )
        )
    ],
    [
      "that another layer wraps as a fiber would be",
      () =>
        serving(
          Layer.provideMerge(
            HttpRouter.middleware(
              <A, E, R>(app: Effect.Effect<A, E, R>) =>
                Effect.withFiber<A, E, R>(() => {
                  seen.count++
                  return app
                }),
              { global: true }
            ),
            api
          )
        )
    ]
  ]
  for (const [what, layer] of compositions) {
    it.live(what, () =>
      Effect.gen(function* () {
        seen.count = 0
        assert.deepStrictEqual(yield* isDirect, [false, false])
        assert.strictEqual((yield* create("a")).status, 201)
        assert.strictEqual((yield* ask("/api/notes/a")).status, 200)
        assert.strictEqual((yield* ask("/api/notes/none")).status, 404)
        assert.strictEqual(seen.count, 3)
      }).pipe(Effect.provide(layer()))
    )
  }

  it.live("that CORS guards", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* isDirect, [false, false])
      const { headers } = yield* ask("/api/notes", { headers: { origin: "http://elsewhere" } })
      assert.strictEqual(headers.get("access-control-allow-origin"), "*")
    }).pipe(Effect.provide(serving(Layer.mergeAll(api, HttpRouter.cors()))))
  )

  it.live("whose requests the access logger logs", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* isDirect, [false, false])
      assert.strictEqual((yield* create("a")).status, 201)
    }).pipe(Effect.provide(serving(api, { disableLogger: false })))
  )

  it.live("whose requests a tracer records that the node does not have", () => {
    const names: Array<string> = []
    const tracer = recorder(names)
    return Effect.gen(function* () {
      assert.deepStrictEqual(yield* isDirect, [false, false])
      assert.strictEqual((yield* create("a")).status, 201)
      assert.deepStrictEqual(names, ["POST"])
    }).pipe(
      Effect.provide(serving(api, {}, layerServer({ port: 0 }), Layer.provide(Layer.succeed(Tracer.Tracer, tracer))))
    )
  })

  it.live("whose bodies the application limits", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* isDirect, [false, false])
    }).pipe(
      Effect.provide(
        serving(api).pipe(Layer.provide(Layer.succeed(HttpIncomingMessage.MaxBodySize, ByteSize.bytes(100))))
      )
    )
  )

  it.live("on any other server", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* create("a")).status, 201)
      assert.strictEqual((yield* ask("/api/notes/a")).status, 200)
    }).pipe(Effect.provide(serving(api, {}, NodeHttpServer.layerServer(createServer, { port: 0, host: "127.0.0.1" }))))
  )

  it.live("where an own route takes the request first", () => {
    const own = HttpRouter.add("GET", "/api/notes/special", HttpServerResponse.text("own"))
    return Effect.gen(function* () {
      const { find } = yield* Served
      assert.deepStrictEqual(yield* isDirect, [true, true])
      assert.isUndefined(find()?.("GET", "/api/notes/special"))
      assert.isUndefined(find()?.("GET", "/api/notes/special?limit=1"))
      const answered = yield* ask("/api/notes/special")
      assert.strictEqual(yield* Effect.promise(() => answered.text()), "own")
    }).pipe(Effect.provide(serving(Layer.mergeAll(api, own))))
  })
})

/** All that a connection answers to these bytes, but for the date. */
const answerTo = (bytes: string) =>
  Effect.flatMap(Served, ({ port }) =>
    Effect.promise(async () => {
      const socket = connect(port, "127.0.0.1")
      let answer = ""
      socket.on("data", (data) => {
        answer += data.toString("latin1")
      })
      socket.on("error", () => {})
      socket.write(bytes)
      await once(socket, "close")
      return answer.replace(/^Date: .*$/im, "Date:")
    })
  )

describe("a request that waits for its turn", () => {
  it.live("is 400 if its body broke off meanwhile", () =>
    Effect.gen(function* () {
      const { admission } = yield* Http.Serving
      const place = admission.enter()
      assert.isDefined(place)
      let isBusy = true
      const keepBusy = () => {
        const endMs = performance.now() + 11
        while (performance.now() < endMs);
        if (isBusy) place?.turn(keepBusy)
      }
      place?.turn(keepBusy)
      const head = "POST /api/notes HTTP/1.1\r\nhost: a\r\ncontent-type: application/json"
      const answer = yield* answerTo(`${head}\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n`)
      isBusy = false
      assert.match(answer, /^HTTP\/1\.1 400 /)
    }).pipe(Effect.provide(serving(api)))
  )
})

describe("a handler that fails with a defect", () => {
  const layerBroken = Layer.effect(
    Records,
    Effect.map(Records, (records) => ({
      ...records,
      beginGet: (_, __, id) => {
        if (id === "thrown") throw new Error("a defect of this test")
        return (settle) => settleNow(settle, Exit.die(new Error("a defect of this test")))
      }
    }))
  )
  const broken = Layer.provide(api, layerBroken)
  for (const [where, routes, isFound] of [
    ["directly", broken, true],
    ["by the router", Layer.provideMerge(broken, HttpRouter.middleware(counting().middleware, { global: true })), false]
  ] as const) {
    it.live(`is 500, and the node goes on, if it is served ${where}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* isDirect, [isFound, isFound])
        for (const id of ["thrown", "died"]) {
          const answer = yield* ask(`/api/notes/${id}`)
          const body = (yield* Effect.promise(() => answer.json())) as { readonly type: string }
          assert.deepStrictEqual([answer.status, body.type], [500, "urn:lithair:problem:internal"])
        }
        assert.strictEqual((yield* create("a")).status, 201)
      }).pipe(Effect.provide(serving(routes)))
    )
  }
})

describe("the places of a node", () => {
  const post = `POST /api/notes HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n`
  const body = `{"text":"t","id":"a"}`
  const whole = `${post}content-length: ${body.length}\r\n\r\n${body}`

  it.live("are refused once all are taken, and a client that goes away gives its place back", () =>
    Effect.gen(function* () {
      const { admission } = yield* Http.Serving
      const { port } = yield* Served
      const taken = Array.from({ length: requestsMaxCount - 1 }, () => admission.enter())
      assert.isTrue(taken.every((place) => place !== undefined))
      const leaving = connect(port, "127.0.0.1")
      leaving.on("error", () => {})
      leaving.write(`${post}content-length: 100\r\n\r\n{`)
      const untilPlaces = (isFree: boolean) =>
        Effect.sync(() => admission.enter()).pipe(
          Effect.tap((place) => Effect.sync(() => place?.leave())),
          Effect.repeat({ until: (place) => (place !== undefined) === isFree })
        )
      yield* untilPlaces(false)
      const refused = yield* answerTo(whole)
      assert.match(refused, /^HTTP\/1\.1 503 /)
      assert.include(refused, "urn:lithair:problem:overloaded")
      leaving.destroy()
      yield* untilPlaces(true)
      assert.match(yield* answerTo(whole), /^HTTP\/1\.1 201 /)
      for (const place of taken) place?.leave()
    }).pipe(Effect.provide(serving(api)))
  )
})

describe("a write that is refused because the node is overloaded", () => {
  const body = `{"text":"t","id":"a"}`
  const head = `POST /api/notes HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n`
  const small = `${head}content-length: ${body.length}\r\n\r\n${body}`
  const whole = small.replace("host: a", "host: a\r\nconnection: close")

  it.live("keeps its connection if its body is small, so that the next costs no new connection", () =>
    Effect.gen(function* () {
      const { admission } = yield* Http.Serving
      const taken = Array.from({ length: requestsMaxCount }, () => admission.enter())
      const { port } = yield* Served
      const socket = connect(port, "127.0.0.1")
      socket.on("error", () => {})
      let received = ""
      const answers = (count: number) =>
        Effect.promise(async () => {
          while (received.split("HTTP/1.1 ").length <= count) received += String((await once(socket, "data"))[0])
        })
      // Two at once: the second begins where the body of the first ends.
      socket.write(small + small)
      yield* answers(2)
      assert.deepStrictEqual(received.match(/HTTP\/1\.1 \d+/g), ["HTTP/1.1 503", "HTTP/1.1 503"])
      assert.notMatch(received, /connection: close/i)
      for (const place of taken) place?.leave()
      socket.write(small)
      yield* answers(3)
      assert.match(received, /HTTP\/1\.1 201 [\s\S]*$/)
      socket.destroy()
    }).pipe(Effect.provide(serving(api)))
  )

  it.live("is not read again on its connection until the node takes requests", () =>
    Effect.gen(function* () {
      const { admission } = yield* Http.Serving
      const taken = Array.from({ length: requestsMaxCount }, () => admission.enter())
      const { port } = yield* Served
      const socket = connect(port, "127.0.0.1")
      socket.on("error", () => {})
      let received = ""
      socket.on("data", (data) => {
        received += String(data)
      })
      const answers = (): ReadonlyArray<string> => received.match(/HTTP\/1\.1 \d+/g) ?? []
      const until = (isSo: () => boolean) =>
        Effect.promise(async () => {
          while (!isSo()) await new Promise((resume) => setImmediate(resume))
        })
      socket.write(small)
      yield* until(() => answers().length === 1)
      const restsFromMs = performance.now()
      socket.write(small)
      // Others are refused meanwhile, each at once.
      for (let count = 0; count < 3; count++) assert.match(yield* answerTo(whole), /^HTTP\/1\.1 503 /)
      const restsCount = Math.floor((performance.now() - restsFromMs) / restMaxMs)
      assert.isAtMost(answers().length, 1 + restsCount)
      for (const place of taken) place?.leave()
      yield* until(() => answers().includes("HTTP/1.1 201") || answers().length > 2 + restsCount)
      assert.strictEqual(answers().at(-1), "HTTP/1.1 201")
      socket.destroy()
    }).pipe(Effect.provide(serving(api)))
  )

  it.live("ends its connection if its body is large, or of unknown size", () =>
    Effect.gen(function* () {
      const { admission } = yield* Http.Serving
      const taken = Array.from({ length: requestsMaxCount }, () => admission.enter())
      for (const size of ["content-length: 1000000", "transfer-encoding: chunked"]) {
        const answer = yield* answerTo(`${head}${size}\r\n\r\n`)
        assert.match(answer, /^HTTP\/1\.1 503 /)
        assert.match(answer, /connection: close/i)
      }
      for (const place of taken) place?.leave()
    }).pipe(Effect.provide(serving(api)))
  )
})

describe("answers that a client does not take", () => {
  const text = "x".repeat(7_500)
  const bulk = (from: number) =>
    ask("/api/notes/_bulk", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(Array.from({ length: 100 }, (_, at) => ({ id: `n${from + at}`, text })))
    })
  const page = "GET /api/notes?limit=1000&consistency=local HTTP/1.1\r\nhost: a\r\n\r\n"
  const routed = HttpRouter.middleware(<A, E, R>(app: Effect.Effect<A, E, R>) => Effect.map(app, (it) => it), {
    global: true
  })

  for (const [where, routes] of [
    ["directly", api],
    ["by the router", Layer.provideMerge(api, routed)]
  ] as const) {
    it.live(`are bounded in all, and one of each connection, if they are served ${where}`, () =>
      Effect.gen(function* () {
        const { admission, answers } = yield* Http.Serving
        const { port } = yield* Served
        for (let from = 0; from < 1_000; from += 100) assert.strictEqual((yield* bulk(from)).status, 201)
        const okCount = () => answers.byStatus.get(200) ?? 0
        const open = () => {
          const socket = connect(port, "127.0.0.1")
          socket.on("error", () => {})
          socket.pause()
          socket.write(page.repeat(50))
          return socket
        }
        const before = okCount()
        const sockets = Array.from({ length: 12 }, open)
        yield* Effect.yieldNow.pipe(Effect.repeat({ until: () => !admission.hasRoom() }))
        // Answers of 7.5 MB each: with the ninth, clients owe more than 64 MiB.
        assert.strictEqual(okCount() - before, 9)
        assert.match(
          yield* answerTo("GET /api/notes/n1 HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"),
          /overloaded/
        )
        for (const socket of sockets) socket.destroy()
        yield* Effect.yieldNow.pipe(Effect.repeat({ until: admission.hasRoom }))
        assert.strictEqual((yield* ask("/api/notes/n1")).status, 200)
      }).pipe(Effect.provide(serving(routes)))
    )
  }
})

describe("requests on one connection", () => {
  it.live("begin in their order, so that a read behind a write sees it", () =>
    Effect.gen(function* () {
      const body = `{"id":"a","text":"t"}`
      const write = `POST /api/notes HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
      const read = "GET /api/notes/a?consistency=local HTTP/1.1\r\nhost: a\r\n"
      const answer = yield* answerTo(`${write}${`${read}\r\n`.repeat(100)}${read}connection: close\r\n\r\n`)
      const statuses = Array.from(answer.matchAll(/HTTP\/1\.1 (\d+)/g), ([, status]) => status)
      assert.deepStrictEqual(statuses, ["201", ...Array.from({ length: 101 }, () => "200")])
    }).pipe(Effect.provide(serving(api)))
  )

  it.live("that ask for an upgrade which nobody makes end with their connection", () =>
    Effect.gen(function* () {
      const { port } = yield* Served
      const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
      let answer = ""
      socket.on("data", (data) => {
        answer += data.toString("latin1")
      })
      socket.on("error", () => {})
      socket.write("GET /api/notes HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n")
      // The client keeps its half open: only a reset shows that the server has let the connection go.
      yield* Effect.promise(() => once(socket, "end"))
      const sending = setInterval(() => socket.write("x"), 20)
      yield* Effect.callback<void>((resume) => void socket.on("close", () => resume(Effect.void))).pipe(
        Effect.timeout("4 seconds")
      )
      clearInterval(sending)
      assert.match(answer, /^HTTP\/1\.1 200 /)
    }).pipe(Effect.provide(serving(api)))
  )
})

describe("both ways", () => {
  /** Requests as they are sent, each on a connection of its own. */
  const json = "content-type: application/json"
  const request = (head: string, body = "", ...headers: ReadonlyArray<string>) => {
    const length = body === "" ? [] : [`content-length: ${Buffer.byteLength(body)}`]
    return [`${head} HTTP/1.1`, "host: a", "connection: close", ...headers, ...length, "", body].join("\r\n")
  }
  const requests = [
    request("POST /api/notes", `{"id":"a","text":"é"}`, json),
    request("POST /api/notes", `{"id":"a","text":"twice"}`, json),
    request("POST /api/notes", `{"id":"!","text":""}`, json),
    request("POST /api/notes", `{"id":"b","text":`, json),
    request("POST /api/notes", `{"id":"b","text":""}`),
    request("POST /api/notes", `{"id":"b","text":""}`, "content-type: text/plain"),
    request("POST /api/notes?x=1", `{"id":"b","text":""}`, json),
    request("POST /api/notes", `{"id":"k","text":"keyed"}`, json, "idempotency-key: k1"),
    request("POST /api/notes", `{"id":"k","text":"keyed"}`, json, "idempotency-key: k1"),
    request("POST /api/notes", `{"id":"k","text":"other"}`, json, "idempotency-key: k1"),
    request("POST /api/notes", "", json),
    'POST /api/notes HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{"id":"c"\r\nc\r\n,"text":"\u00e9"\r\n1\r\n}\r\n0\r\n\r\n',
    request("POST /api/notes", "x".repeat(1_048_577), json),
    request("PUT /api/notes/a", `{"text":"put","draft":"d"}`, json, `if-match: "1"`),
    request("PUT /api/notes/a", `{"text":"put"}`, json, `if-match: "1"`),
    request("PUT /api/notes/a", `{"text":"put"}`, json, "if-match: nonsense"),
    request("PUT /api/notes/p", `{"text":"new"}`, json, "if-none-match: *"),
    request("PATCH /api/notes/a", `{"draft":null}`, "content-type: application/merge-patch+json"),
    request("PATCH /api/notes/none", `{"text":"x"}`, json),
    request("GET /api/notes/a"),
    request("GET /api/notes/a", "", `if-none-match: "3"`),
    request("GET /api/notes/a", "", `if-match: "1"`),
    request("HEAD /api/notes/a"),
    request("GET /api/notes/a?consistency=session", "", "lithair-min-index: 1"),
    request("GET /api/notes/a?consistency=nonsense"),
    request("GET /api/notes/none"),
    request("GET /api/notes/%61"),
    request("GET /API/notes"),
    request("GET /api/notes?limit=1&count=exact"),
    request("GET /api/notes?limit=0"),
    request("GET http://b/api/notes/a"),
    "GET /api/notes/a HTTP/1.1\r\nconnection: close\r\n\r\n",
    request("GET /api/notes/a", "", "expect: something"),
    request("TRACE /api/notes"),
    request("POST /api/notes/_bulk", `[{"id":"x","text":""},{"id":"y","text":""}]`, json),
    request("POST /api/notes/_bulk", `[{"id":"z","text":""},{"id":"y","text":""}]`, json),
    request("POST /api/_tx", `{"ops":[{"op":"patch","model":"Note","id":"x","data":{"text":"tx"}}]}`, json),
    request("POST /api/_tx", `{"ops":[{"op":"delete","model":"None","id":"x"}]}`, json),
    request("POST /api/_commands/book", `{"count":2}`, json),
    request("POST /api/_commands/book", `{"count":4}`, json),
    request("POST /api/_commands/book", `{"count":"2"}`, json),
    request("DELETE /api/notes/x"),
    request("DELETE /api/notes/x", "", `if-match: "7"`),
    request("DELETE /api/notes/a", "ignored")
  ]

  const routes = Layer.mergeAll(api, Http.layerNotFound)
  const routed = HttpRouter.middleware(<A, E, R>(app: Effect.Effect<A, E, R>) => Effect.map(app, (it) => it), {
    global: true
  })

  it.live("answer each request with the same bytes", () =>
    Effect.gen(function* () {
      const answers = (isAskedDirectly: boolean) =>
        Effect.andThen(
          Effect.map(isDirect, (found) => assert.deepStrictEqual(found, [isAskedDirectly, isAskedDirectly])),
          Effect.forEach(requests, answerTo)
        )
      const direct = yield* answers(true).pipe(Effect.provide(serving(routes)))
      const byRouter = yield* answers(false).pipe(Effect.provide(serving(Layer.provideMerge(routes, routed))))
      for (const [at, answer] of direct.entries()) {
        assert.match(answer, /^HTTP\/1\.1 \d{3} /, requests[at]?.slice(0, 200))
        assert.strictEqual(answer, byRouter[at], requests[at]?.slice(0, 200))
      }
      const statuses = new Set(direct.map((answer) => answer.slice(9, 12)))
      for (const status of ["200", "201", "204", "304", "400", "404", "405", "409", "412", "413", "415", "417", "422"])
        assert.isTrue(statuses.has(status), status)
    })
  )
})
