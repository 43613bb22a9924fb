/**
 * A fuzzer that reads a node's document and does what it says: each operation is asked with what its schemas admit, drawn
 * at random. Every answer must have a status and a body that the document names, and what fits the schemas is refused for
 * no form, but for reasons that the document gives in words.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Layer, Result, Schema, SchemaRepresentation, Stream } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import { commands, models } from "../../examples/models.ts"
import { transferLayer } from "../../examples/transfer.ts"
import * as Model from "../../src/Model.ts"
import { TestCluster } from "../../src/Testing.ts"

/** What the example's models have none of. */
class Event extends Model.Class<Event>("Event")({
  id: Model.id(Schema.String.check(Schema.isUUID())),
  at: Model.replicate(Schema.Date),
  until: Model.replicate(Schema.NullOr(Schema.DateTimeUtc)),
  seats: Model.replicate(Schema.Int),
  isOpen: Model.replicate(Schema.Boolean),
  tags: Model.replicate(Schema.Array(Schema.String)),
  place: Model.replicate(Schema.optionalKey(Schema.NullOr(Schema.Struct({ name: Schema.String, room: Schema.Finite }))))
}) {}

type Json = Record<string, unknown>
interface Parameter {
  readonly name: string
  readonly in: "path" | "query" | "header"
  readonly required: boolean
  readonly schema: Json
}
interface Operation {
  readonly operationId: string
  readonly parameters: ReadonlyArray<Parameter>
  readonly requestBody?: { readonly content: Record<string, { readonly schema: Json }> }
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: Json }> }>
}
interface Document {
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, Json> }
}

/** Requests of each operation. The seed of the run decides all of them. */
const requestsCount = 6
const seed = Number(process.env.LITHAIR_FUZZ_SEED ?? 1)

/** What the document says in words, since no schema can: of these a request that fits may be 400. */
const saidInWords: ReadonlyArray<RegExp> = [
  /id .*addressed/,
  /cursor/,
  /needs consistency=local/,
  /names \w+ twice/,
  // Of streams of changes: the document describes these in words.
  /within a first state of other models/,
  /takes no after/,
  /names a model twice|stays on each node/,
  // What a patch leaves must be a whole value.
  /Missing key|null cannot remove it/,
  // Of live queries: their number and their keys.
  /takes (an object|keys) of 1 to 64/,
  // Of the command `transfer`.
  /above 0\.00|Expected another account/,
  // Of filters: any other value than the field's.
  /length of at least 1/
]

const schemaOf = (document: Document, schema: Json) => {
  const definitions = JSON.parse(
    JSON.stringify(document.components.schemas).replaceAll("#/components/schemas/", "#/$defs/")
  )
  const root = JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "#/$defs/"))
  return SchemaRepresentation.fromJsonSchemaDocument(
    { dialect: "draft-2020-12", schema: root, definitions },
    { patterns: "apply" }
  ) as Schema.Codec<unknown, unknown>
}

/** Everything that one operation may be asked: a whole request, but for the ids of records that are there. */
const requestsOf = (document: Document, operation: Operation, isFull: boolean) => {
  const media = Object.entries(operation.requestBody?.content ?? {})
  const parts = [
    ...operation.parameters.map(({ name, schema, in: place }) => ({ name, place, schema })),
    ...media.slice(0, 1).map(([name, { schema }]) => ({ name, place: "body" as const, schema }))
  ]
  return Effect.forEach(parts, ({ name, place, schema }, at) =>
    Arbitrary.sampleEffect(Arbitrary.schema(schemaOf(document, schema)), {
      count: requestsCount,
      seed: `${seed} ${operation.operationId} ${isFull} ${at}`
    }).pipe(Effect.map((values) => ({ name, place, values })))
  )
}

/** A body as UTF-8 can carry it; undefined where half of a character is in it. */
const bodyOf = (value: unknown): string | undefined => {
  const text = JSON.stringify(value)
  // As JSON writes what is well formed, no surrogate is escaped.
  return /\\u[dD][89a-fA-F]/.test(text) ? undefined : text
}

const ask = (request: HttpClientRequest.HttpClientRequest) =>
  HttpClient.execute(request).pipe(
    Effect.flatMap((response) => {
      // A stream of events does not end: what comes first is enough.
      const isStream = response.headers["content-type"]?.startsWith("text/event-stream") === true
      const first = Stream.mkString(Stream.take(Stream.decodeText(response.stream), 1))
      return Effect.map(isStream ? first : response.text, (text) => ({ response, text }))
    })
  )

/** Why an answer is none that the document names; undefined if it is. */
const wrongWith = (
  document: Document,
  operation: Operation,
  answer: { readonly status: number; readonly mediaType: string; readonly text: string }
): string | undefined => {
  const documented = operation.responses[answer.status]
  if (documented === undefined) return "this status is not in the document"
  if (documented.content === undefined) return answer.text === "" ? undefined : "a body that is not in the document"
  const media = Object.entries(documented.content).find(([name]) => name.startsWith(answer.mediaType))
  if (media === undefined) return `the media type ${answer.mediaType} is not in the document`
  if (!answer.mediaType.endsWith("json")) return undefined
  const schema = schemaOf(document, media[1].schema)
  const decoded = Schema.decodeUnknownResult(schema, { onExcessProperty: "error" })(JSON.parse(answer.text))
  if (Result.isFailure(decoded)) return `a body that the document does not describe: ${decoded.failure.message}`
  return answer.status === 400 && !saidInWords.some((each) => each.test(answer.text))
    ? "refused for a reason that the document does not give"
    : undefined
}

describe("the fuzzer that reads the document", () => {
  it.effect(
    "finds no answer that the document does not name, and no request that fits refused without a reason in it",
    () =>
      Effect.gen(function* () {
        const { leader, on } = yield* TestCluster
        const document: Document = JSON.parse((yield* on("n1", ask(HttpClientRequest.get("/openapi.json")))).text)
        const wrong: Array<string> = []
        const statuses = new Map<number, number>()
        const ids = new Map<string, string>()
        // What is made first is there to be read, changed and deleted.
        const order = ["post", "get", "put", "patch", "delete"]
        const operations = Object.entries(document.paths)
          .flatMap(([path, methods]) =>
            Object.entries(methods).map(([method, operation]) => ({ path, method, operation }))
          )
          .toSorted((one, other) => order.indexOf(one.method) - order.indexOf(other.method))
        for (const { method, operation, path } of operations) {
          if (path === "/docs" || path.startsWith("/_raft")) continue
          const required = new Set(operation.parameters.filter((each) => each.required).map(({ name }) => name))
          const parts = yield* requestsOf(document, operation, true)
          draw: for (let at = 0; at < requestsCount; at++) {
            let url = path
            const query: Array<string> = []
            let request = HttpClientRequest.make(method.toUpperCase() as "GET")(path)
            for (const [position, { name, place, values }] of parts.entries()) {
              // A request has some of what is optional: each time others.
              if (place !== "body" && place !== "path" && !required.has(name) && (at + position) % 3 !== 0) continue
              const value = values[at]
              if (place === "body") {
                const body = bodyOf(value)
                if (body === undefined) continue draw
                request = HttpClientRequest.bodyText(request, body, name)
                continue
              }
              const known = at % 2 === 0 ? ids.get(path) : undefined
              // A drawn tag or version is hardly ever that of a record: these are.
              const likely: Record<string, string | undefined> = { id: known, "if-none-match": "*", at: "1" }
              const text = (known === undefined ? undefined : likely[name]) ?? String(value).toWellFormed()
              if (place === "path") url = url.replace(`{${name}}`, encodeURIComponent(text))
              else if (place === "query") query.push(`${encodeURIComponent(name)}=${encodeURIComponent(text)}`)
              else request = HttpClientRequest.setHeader(request, name, text)
            }
            const target = query.length === 0 ? url : `${url}?${query.join("&")}`
            const { response, text } = yield* on("n2", ask(HttpClientRequest.setUrl(request, target)))
            statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1)
            const mediaType = (response.headers["content-type"] ?? "").split(";")[0] ?? ""
            if (response.status === 201 && method === "post" && !path.endsWith("_bulk")) {
              ids.set(`${path}/{id}`, (JSON.parse(text) as { readonly id: string }).id)
            }
            const found = wrongWith(document, operation, { status: response.status, mediaType, text })
            if (found !== undefined) {
              wrong.push(
                `${method} ${target}: ${response.status}, ${found}\n${text.slice(0, 300)}\n${JSON.stringify(request.headers)} ${JSON.stringify(request.body)?.slice(0, 300)}`
              )
            }
          }
        }
        yield* leader
        assert.strictEqual(wrong.length, 0, `seed ${seed}: ${wrong.join("\n\n")}`)
        // What it asked was not all refused before it came to anything.
        for (const status of [200, 201, 204, 304, 404, 409, 412])
          assert.isAbove(statuses.get(status) ?? 0, 0, `${status}`)
      }).pipe(
        Effect.provide(TestCluster.layer({ models: [...models, Event], commands }).pipe(Layer.provide(transferLayer)))
      ),
    { timeout: 60_000 }
  )
})
