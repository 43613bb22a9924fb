/**
 * One write as a trace: three nodes on sockets and disks, each with Effect's OTLP exporter, and a receiver of OTLP/HTTP
 * in this process. W3C Trace Context; OTLP 1.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Option, Schema, Tracer } from "effect"
import { FetchHttpClient, HttpRouter, HttpServer } from "effect/http"
import type { NetAddress } from "effect/net"
import { OtlpSerialization, OtlpTracer } from "effect/observability"
import * as Command from "../../src/Command.ts"
import * as Http from "../../src/Http.ts"
import * as Lithair from "../../src/Lithair.ts"
import * as Model from "../../src/Model.ts"
import { layer, layerServer } from "../../src/node.ts"
import * as Repository from "../../src/Repository.ts"
import { TestCluster } from "../../src/Testing.ts"
import { eventually, expectThat, freePort } from "../processes/Processes.ts"

class Product extends Model.Class<Product>("Product")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  name: Schema.NonEmptyString.pipe(Model.replicate)
}) {}

interface Received {
  readonly service: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string | undefined
  readonly name: string
  readonly kind: number
  readonly beganNanos: bigint
  readonly endedNanos: bigint
  readonly attributes: Readonly<Record<string, unknown>>
}

interface Attribute {
  readonly key: string
  readonly value: Readonly<Record<string, unknown>>
}

const attributesOf = (list: ReadonlyArray<Attribute>) =>
  Object.fromEntries(list.map(({ key, value }) => [key, Object.values(value)[0]]))

/** Takes what exporters post to `/v1/traces`, as JSON. */
const receiver = Effect.gen(function* () {
  const spans: Array<Received> = []
  const server = createServer((request, response) => {
    let body = ""
    request.on("data", (part: Buffer) => {
      body += part.toString()
    })
    request.on("end", () => {
      for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
        const service = String(attributesOf(resource.attributes)["service.name"])
        for (const span of scopeSpans.flatMap(({ spans }: { spans: ReadonlyArray<unknown> }) => spans)) {
          const { attributes, endTimeUnixNano, startTimeUnixNano, ...others } = span
          spans.push({
            ...others,
            service,
            beganNanos: BigInt(startTimeUnixNano),
            endedNanos: BigInt(endTimeUnixNano),
            attributes: attributesOf(attributes)
          })
        }
      }
      response.writeHead(request.url === "/v1/traces" ? 200 : 404)
      response.end("{}")
    })
  })
  yield* Effect.callback<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
  yield* Effect.addFinalizer(() => Effect.sync(() => void server.close()))
  return { spans, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces` }
})

const cluster = (url: string) =>
  Effect.gen(function* () {
    const directory = mkdtempSync(join(tmpdir(), "lithair-traces-"))
    yield* Effect.addFinalizer(() => Effect.sync(() => rmSync(directory, { recursive: true, force: true })))
    const ports = yield* Effect.forEach([1, 2, 3], () => freePort)
    yield* Effect.forEach(
      ports,
      (port) => {
        const peers = ports
          .filter((other) => other !== port)
          .map((other) => ({ id: `127.0.0.1:${other}`, address: `127.0.0.1:${other}` }))
        const traces = OtlpTracer.layer({
          url,
          resource: { serviceName: `node ${port}` },
          exportInterval: "50 millis"
        }).pipe(Layer.provide([OtlpSerialization.layerJson, FetchHttpClient.layer]))
        return Lithair.layerHttp({ models: [Product] }).pipe(
          Layer.provide([layer({ port, peers, directory: join(directory, String(port)) }), Lithair.layerTest]),
          Layer.provide(traces),
          // The nodes of one process share no service.
          Layer.fresh,
          Layer.build
        )
      },
      { concurrency: "unbounded" }
    )
    for (const port of ports) {
      const ready = Effect.promise(() => fetch(`http://127.0.0.1:${port}/readyz`))
      yield* eventually(
        `${port} is ready`,
        Effect.flatMap(ready, ({ ok }) => expectThat(ok, "it is ready"))
      )
    }
    const status = yield* Effect.promise(async () =>
      (await fetch(`http://127.0.0.1:${ports[0]}/_admin/api/cluster`)).json()
    )
    const leader = ports.find((port) => status.leader === `127.0.0.1:${port}`)!
    return { leader, follower: ports.find((port) => port !== leader)! }
  })

const create = (port: number, name: string, traceparent?: string) =>
  Effect.promise(() =>
    fetch(`http://127.0.0.1:${port}/api/products`, {
      method: "POST",
      headers: { "content-type": "application/json", ...(traceparent === undefined ? {} : { traceparent }) },
      body: JSON.stringify({ name })
    })
  )

const traceId = "0af7651916cd43dd8448eb211c80319c"
const clientSpanId = "b7ad6b7169203331"

/** A tracer that keeps its spans. */
const recorder = () => {
  const spans: Array<Tracer.Span> = []
  const span: Tracer.Tracer["span"] = (options) => {
    const made = Tracer.nativeTracer.span(options)
    spans.push(made)
    return made
  }
  return { ended: () => spans.filter(({ status }) => status._tag === "Ended"), tracer: Tracer.make({ span }) }
}

const parentOf = ({ parent }: Tracer.Span) => Option.getOrUndefined(parent)?.spanId

describe("a trace", () => {
  it.live(
    "of a write at a follower has the request, the way to the leader, its decision, sync, commit and apply",
    () =>
      Effect.gen(function* () {
        const { spans, url } = yield* receiver
        const { follower, leader } = yield* cluster(url)
        const ofWrites = () =>
          spans.filter(
            ({ attributes, name }) => name.startsWith("lithair.") || attributes["http.route"] === "/api/products"
          )

        // Nobody asked for these to be traced.
        assert.strictEqual((yield* create(follower, "Untold")).status, 201)
        assert.strictEqual((yield* create(follower, "Unsampled", `00-${traceId}-${clientSpanId}-00`)).status, 201)
        assert.strictEqual((yield* create(follower, "Malformed", `00-${traceId}-nothing-01`)).status, 201)
        assert.strictEqual((yield* create(follower, "Traced", `00-${traceId}-${clientSpanId}-01`)).status, 201)
        yield* eventually(
          () => `all spans came: ${ofWrites().map(({ name }) => name)}`,
          Effect.suspend(() => expectThat(ofWrites().length >= 6, "there are six"))
        )
        const written = ofWrites()
        assert.deepStrictEqual(
          written.map(({ name, service }) => `${service}: ${name}`).toSorted(),
          [
            `node ${follower}: POST /api/products`,
            `node ${follower}: lithair.forward`,
            `node ${leader}: lithair.apply`,
            `node ${leader}: lithair.commit`,
            `node ${leader}: lithair.decide`,
            `node ${leader}: lithair.sync`
          ].toSorted()
        )
        const of = (name: string) => written.find((span) => span.name === name)!
        for (const span of written) assert.strictEqual(span.traceId, traceId, span.name)
        const [request, forward, decide, sync, commit, apply] = [
          of("POST /api/products"),
          of("lithair.forward"),
          of("lithair.decide"),
          of("lithair.sync"),
          of("lithair.commit"),
          of("lithair.apply")
        ]
        assert.deepStrictEqual([request.parentSpanId, request.kind], [clientSpanId, 2])
        assert.deepStrictEqual([forward.parentSpanId, forward.kind], [request.spanId, 3])
        for (const child of [decide, sync, commit, apply]) assert.strictEqual(child.parentSpanId, forward.spanId)
        assert.deepInclude(request.attributes, { "http.request.method": "POST", "http.response.status_code": 201 })
        assert.deepInclude(forward.attributes, {
          "lithair.leader": `127.0.0.1:${leader}`,
          "lithair.outcome": "answered"
        })
        assert.deepInclude(decide.attributes, { "lithair.command": "Create Product" })
        assert.strictEqual(commit.attributes["lithair.outcome"], "committed")
        // One clock: what encloses another span began before it, and ended after it.
        for (const child of [decide, sync, commit, apply]) {
          assert.isTrue(forward.beganNanos <= child.beganNanos && child.endedNanos <= forward.endedNanos, child.name)
        }
        assert.isTrue(decide.endedNanos <= sync.beganNanos && sync.beganNanos <= sync.endedNanos)
        assert.isTrue(commit.endedNanos <= apply.beganNanos)
        assert.isTrue(request.beganNanos <= forward.beganNanos && forward.endedNanos <= request.endedNanos)
        // No span tells what was written.
        assert.notInclude(JSON.stringify(written.map(({ attributes, name }) => ({ attributes, name }))), "Traced")
      }),
    120_000
  )

  it.live("goes on below the span of Effect's middleware, where a router serves the request", () => {
    const { ended, tracer } = recorder()
    const standing = HttpRouter.middleware(<A, E, R>(app: Effect.Effect<A, E, R>) => Effect.suspend(() => app), {
      global: true
    })
    const node = HttpRouter.serve(Layer.merge(Http.layerApi(), standing), {
      disableLogger: true,
      disableListenLog: true
    }).pipe(
      Layer.provide(Lithair.layer({ models: [Product] })),
      Layer.provide([Lithair.layerMemory, Lithair.layerTest]),
      Layer.provideMerge(layerServer({ port: 0 })),
      Layer.provide(Layer.succeed(Tracer.Tracer, tracer))
    )
    return Effect.gen(function* () {
      const { address } = yield* HttpServer.HttpServer
      yield* create((address as NetAddress.InetAddress).port, "Anvil", `00-${traceId}-${clientSpanId}-01`)
      yield* eventually(
        "the entry is applied",
        Effect.suspend(() =>
          expectThat(
            ended().some(({ name }) => name === "lithair.apply"),
            "it is applied"
          )
        )
      )
      const traced = ended().filter((span) => span.traceId === traceId)
      const request = traced.find(({ kind }) => kind === "server")!
      assert.strictEqual(parentOf(request), clientSpanId)
      assert.deepStrictEqual(
        traced.filter((span) => parentOf(span) === request.spanId).map(({ name }) => name),
        ["lithair.decide", "lithair.commit", "lithair.sync", "lithair.apply"]
      )
    }).pipe(Effect.provide(node))
  })

  it.effect("of a program on a node has its changes", () => {
    const { ended, tracer } = recorder()
    return Effect.gen(function* () {
      const { leader, on, settle } = yield* TestCluster
      const program = Effect.gen(function* () {
        const products = yield* Repository.make(Product)
        yield* products.create({ name: "Anvil" })
      })
      yield* on(yield* leader, Effect.withSpan(program, "import"))
      yield* on(yield* leader, program)
      yield* settle
      const span = ended().find(({ name }) => name === "import")!
      const own = ended().filter(({ name }) => name.startsWith("lithair."))
      assert.deepStrictEqual(
        own.map(({ name }) => name),
        ["lithair.decide", "lithair.commit", "lithair.sync", "lithair.apply"],
        "and what no span is around has none"
      )
      assert.isTrue(own.every((each) => parentOf(each) === span.spanId && each.traceId === span.traceId))
    }).pipe(Effect.provide(TestCluster.layer({ models: [Product] })), Effect.provideService(Tracer.Tracer, tracer))
  })

  it.effect("has the handler of a command, and the spans that it begins, in the leader's own time", () => {
    const { ended, tracer } = recorder()
    const restock = Command.make("restock", { payload: Schema.Struct({}), success: Schema.Int })
    const restocking = Command.layer(restock, () => Effect.withSpan(Effect.succeed(1), "counting"))
    return Effect.gen(function* () {
      const { advance, leader, on, settle } = yield* TestCluster
      const run = Effect.flatMap(Repository.Repository, ({ run }) => run(restock, {}))
      yield* on(yield* leader, run)
      assert.deepStrictEqual(ended(), [], "nobody wanted the first one traced")
      yield* advance("1 second")
      yield* on(yield* leader, Effect.withSpan(run, "import"))
      yield* settle
      const of = (name: string) => ended().find((span) => span.name === name)!
      const [program, handle, counting, decide] = [
        of("import"),
        of("lithair.handle"),
        of("counting"),
        of("lithair.decide")
      ]
      assert.strictEqual(handle.attributes.get("lithair.command"), "restock")
      assert.deepStrictEqual(
        [handle, counting, decide].map((span) => [parentOf(span), span.traceId]),
        [program, handle, program].map(({ spanId }) => [spanId, program.traceId])
      )
      const timesOf = ({ status }: Tracer.Span) =>
        status._tag === "Ended" ? [status.startTime, status.endTime] : assert.fail("it has not ended")
      const [[began = 0n, over = 0n], [begins = 0n, ends = 0n]] = [timesOf(handle), timesOf(counting)]
      assert.isTrue(began <= begins && begins <= ends && ends <= over)
    }).pipe(
      Effect.provide(TestCluster.layer({ models: [Product], commands: [restock] }).pipe(Layer.provide(restocking))),
      Effect.provideService(Tracer.Tracer, tracer)
    )
  })
})
