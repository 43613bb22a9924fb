import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import { Money } from "../../examples/Money.ts"
import * as Command from "../../src/Command.ts"
import { makeApi, openApiDocument } from "../../src/Http/Openapi.ts"

const api = makeApi(
  [
    {
      name: "Product",
      path: "products",
      idField: "id",
      fields: {
        id: Schema.String.check(Schema.isUUID()),
        name: Schema.NonEmptyString,
        price: Schema.String,
        weight: Money,
        category: Schema.optionalKey(Schema.String)
      },
      ruleNames: ["too-cheap", "rule-broken"]
    },
    {
      name: "User",
      path: "users",
      idField: "id",
      fields: { id: Schema.String, email: Schema.String, cacheData: Schema.String, limit: Schema.Number },
      localFields: ["cacheData"]
    }
  ],
  { title: "Shop", version: "1.2.3" }
)
interface Media {
  readonly schema: SchemaNode
}
interface SchemaNode {
  readonly $ref?: string
  readonly type?: string
  readonly anyOf?: ReadonlyArray<SchemaNode>
  readonly properties?: Readonly<Record<string, SchemaNode>>
  readonly required?: ReadonlyArray<string>
  readonly pattern?: string
  readonly maxItems?: number
}
interface Operation {
  readonly operationId: string
  readonly parameters: ReadonlyArray<{ readonly name: string; readonly in: string; readonly schema: SchemaNode }>
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> }
  readonly responses: Readonly<
    Record<
      string,
      { readonly content?: Readonly<Record<string, Media>>; readonly headers?: Readonly<Record<string, unknown>> }
    >
  >
}
interface Document {
  readonly openapi: string
  readonly info: { readonly title: string; readonly version: string }
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, SchemaNode>> }
}

// As a client reads it: from JSON.
const document: Document = JSON.parse(JSON.stringify(openApiDocument(api)))

const operation = (method: string, path: string): Operation => {
  const found = document.paths[path]?.[method]
  assert.isDefined(found, `${method} ${path}`)
  return found
}

const named = (operation: Operation, place: string) =>
  operation.parameters.filter((it) => it.in === place).map((it) => it.name)

describe("the OpenAPI document", () => {
  it("is of version 3.1 and names the API", () => {
    assert.match(document.openapi, /^3\.1\./)
    assert.deepStrictEqual(document.info, { title: "Shop", version: "1.2.3" })
  })

  const operations: ReadonlyArray<readonly [string, string, ReadonlyArray<number>]> = [
    ["get", "/api/products", [200, 400, 401, 403, 404, 429, 500, 503]],
    ["post", "/api/products", [201, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504, 507]],
    ["post", "/api/products/_bulk", [201, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 500, 503, 504, 507]],
    ["post", "/api/_tx", [200, 400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 500, 503, 504, 507]],
    ["get", "/api/products/{id}", [200, 304, 400, 401, 403, 404, 410, 412, 429, 500, 503]],
    ["get", "/api/products/{id}/history", [200, 400, 401, 403, 404, 429, 500, 503]],
    [
      "put",
      "/api/products/{id}",
      [200, 201, 400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 500, 503, 504, 507]
    ],
    ["patch", "/api/products/{id}", [200, 400, 401, 403, 404, 408, 409, 412, 413, 415, 422, 429, 500, 503, 504, 507]],
    ["delete", "/api/users/{id}", [204, 400, 401, 403, 404, 409, 412, 413, 422, 429, 500, 503, 504, 507]],
    ["get", "/api/_changes", [200, 400, 401, 403, 404, 410, 429, 500, 503]],
    ["get", "/api/products/changes", [200, 400, 401, 403, 404, 410, 429, 500, 503]],
    ["get", "/livez", [200]],
    ["get", "/readyz", [200, 503]],
    ["get", "/metrics", [200, 401, 403, 429, 500, 503]],
    ["get", "/_admin/api/cluster", [200, 400, 401, 403, 429, 500, 503]],
    ["get", "/_admin/api/models", [200, 400, 401, 403, 429, 500, 503]],
    ["get", "/_admin/api/reactions", [200, 400, 401, 403, 429, 500, 503]],
    [
      "post",
      "/_admin/api/reactions/{reaction}",
      [200, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 503, 504, 507]
    ],
    ["get", "/_admin/api/projections", [200, 400, 401, 403, 429, 500, 503]],
    [
      "post",
      "/_admin/api/projections/{projection}",
      [200, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 503, 504, 507]
    ],
    ["get", "/_admin/api/members", [200, 400, 401, 403, 429, 500, 503]],
    ["post", "/_admin/api/members", [200, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 503, 504]],
    ["put", "/_admin/api/members", [200, 400, 401, 403, 404, 408, 409, 412, 413, 415, 428, 429, 500, 503, 504]],
    [
      "delete",
      "/_admin/api/members/{member}",
      [200, 400, 401, 403, 404, 408, 409, 412, 413, 415, 428, 429, 500, 503, 504]
    ],
    ["post", "/_admin/api/members/{member}", [200, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 503, 504]],
    ["post", "/_admin/api/models:activate", [200, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 503, 504]],
    ["post", "/_admin/api/leader:transfer", [200, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 503, 504]],
    ["get", "/openapi.json", [200, 401, 403, 429, 500, 503]],
    ["get", "/docs", [200, 401, 403, 429, 500, 503]]
  ]
  for (const [method, path, statuses] of operations) {
    it(`says what ${method.toUpperCase()} ${path} answers`, () => {
      assert.deepStrictEqual(Object.keys(operation(method, path).responses).map(Number), statuses)
    })
  }

  it("answers errors of the API as application/problem+json alone", () => {
    for (const [path, methods] of Object.entries(document.paths)) {
      if (!path.startsWith("/api/")) continue
      for (const each of Object.values(methods)) {
        for (const [status, response] of Object.entries(each.responses)) {
          if (Number(status) >= 400)
            assert.deepStrictEqual(Object.keys(response.content!), ["application/problem+json"])
        }
      }
    }
  })

  it("gives an unknown outcome the client's key, and none where the client gave none", () => {
    const schema = document.components.schemas["problem.unknown-outcome"]!
    assert.includeMembers([...schema.required!], ["type", "status", "title", "detail", "definite"])
    assert.notInclude([...schema.required!], "key")
    assert.isDefined(schema.properties!.key)
  })

  it("names the headers of requests and answers", () => {
    assert.deepStrictEqual(named(operation("put", "/api/products/{id}"), "header"), [
      "idempotency-key",
      "if-match",
      "if-none-match"
    ])
    const headers = Object.keys(operation("post", "/api/products").responses["201"]!.headers!)
    assert.includeMembers(headers, [
      "etag",
      "location",
      "lithair-node",
      "lithair-leader",
      "lithair-term",
      "lithair-index",
      "idempotent-replayed"
    ])
  })

  it("names every parameter of a list, and a field whose name is taken as field.<name>", () => {
    const parameters = named(operation("get", "/api/users"), "query")
    const fields = ["id", "email", "cacheData", "field.limit"]
    const own = ["order", "limit", "cursor", "select", "max-stale", "count", "versions", "consistency"]
    assert.sameMembers(parameters, [...fields, ...own])
  })

  it("requires neither the id of a new record nor the local part of one that is read", () => {
    const { schemas } = document.components
    assert.sameMembers([...schemas["Product.create"]!.required!], ["name", "price", "weight"])
    assert.sameMembers([...schemas.User!.required!], ["id", "email", "limit"])
    assert.sameMembers([...schemas["User.create"]!.required!], ["email", "cacheData", "limit"])
  })

  it("takes both media types of a patch, and null only for an optional field (RFC 7396)", () => {
    const content = operation("patch", "/api/products/{id}").requestBody!.content
    assert.deepStrictEqual(Object.keys(content), ["application/merge-patch+json", "application/json"])
    for (const { schema } of Object.values(content)) {
      assert.deepStrictEqual(schema.properties!.category, {
        anyOf: [{ type: "string" }, { type: "null" }]
      })
      assert.deepStrictEqual(schema.properties!.price, { type: "string" })
      assert.isUndefined(schema.required)
    }
  })

  it("names a model's rules among the problems of its writes, and of no other", () => {
    const conflicts = (path: string) => JSON.stringify(operation("post", path).responses["409"]!.content)
    for (const name of ["too-cheap", "rule-broken", "unique-violation", "reference-missing", "command-only"]) {
      assert.include(conflicts("/api/products/_bulk"), `problem.${name}`)
    }
    assert.notInclude(conflicts("/api/users"), "too-cheap")
    assert.isDefined(document.components.schemas["problem.too-cheap"])
    const taken = { name: "A", path: "as", idField: "id", fields: { id: Schema.String }, ruleNames: ["not-found"] }
    assert.throws(() => makeApi([taken], { title: "A", version: "1" }), /name of another problem: "not-found"/)
  })

  it("names among the problems of a transaction and of a command whatever a record of any model may meet", () => {
    const probe = Command.make("probe", { payload: Schema.Struct({}), success: Schema.Void })
    const models = [{ name: "A", path: "as", idField: "id", fields: { id: Schema.String }, ruleNames: ["too-dear"] }]
    const { paths } = openApiDocument(makeApi(models, { title: "A", version: "1" }, { commands: [probe] }))
    for (const path of ["/api/_tx", "/api/_commands/probe"]) {
      const responses = JSON.stringify(paths[path]?.post?.responses)
      for (const name of [
        "too-dear",
        "rule-broken",
        "unique-violation",
        "already-exists",
        "referenced",
        "append-only"
      ]) {
        assert.include(responses, `problem.${name}"`, path)
      }
    }
  })

  it("says null where a command answers nothing, since the answer is JSON", () => {
    const probe = Command.make("probe", { payload: Schema.Struct({}), success: Schema.Void })
    const { paths } = openApiDocument(makeApi([], { title: "A", version: "1" }, { commands: [probe] }))
    const content = paths["/api/_commands/probe"]?.post?.responses["200"]?.content
    assert.deepStrictEqual(content?.["application/json"]?.schema as unknown, { type: "null" })
  })

  it("names the headers of problems, and of answers without a body", () => {
    const position = ["lithair-node", "lithair-leader", "lithair-term", "lithair-index"]
    const headersOf = (method: string, path: string, status: number) =>
      Object.keys(operation(method, path).responses[status]!.headers ?? {})
    for (const status of [400, 409, 422, 500, 503, 504]) {
      const names = [...position, "idempotent-replayed", "retry-after"]
      assert.sameMembers(headersOf("post", "/api/products", status), names)
    }
    assert.sameMembers(headersOf("delete", "/api/users/{id}", 204), [...position, "idempotent-replayed"])
    assert.sameMembers(headersOf("get", "/api/users/{id}", 304), [...position, "etag", "lithair-stale-ms"])
  })

  it("says what a decimal looks like, and how many records and operations a request may bring", () => {
    const { schemas } = document.components
    assert.strictEqual(schemas.Product!.properties!.weight!.pattern, "^-?\\d{1,15}(\\.\\d{1,2})?$")
    const bulk = operation("post", "/api/products/_bulk").requestBody!.content["application/json"]!.schema
    assert.deepStrictEqual([bulk.maxItems, schemas["lithair.Transaction"]!.properties!.ops!.maxItems], [1_000, 1_000])
  })

  it("leaves every name to models: those of Lithair's own schemas have a dot", () => {
    const models = ["Transaction", "TransactionAnswer", "Operation", "Health", "ClusterStatus", "ProjectionStatus"]
    const fields = { id: Schema.String, mine: Schema.String }
    const made = models.map((name) => ({ name, path: name.toLowerCase(), idField: "id", fields }))
    const { components } = openApiDocument(makeApi(made, { title: "A", version: "1" }))
    for (const name of models) {
      const schema = components.schemas[name] as SchemaNode | undefined
      assert.deepStrictEqual(schema?.required, ["id", "mine"], name)
    }
    const others = Object.keys(components.schemas).filter((name) => !name.includes("."))
    assert.sameMembers(others, models)
  })

  it("says that a projection may be refused for load, and that its list takes nothing", () => {
    const projection = { _tag: "Whole", name: "sums", codec: Schema.Number } as const
    const { paths } = openApiDocument(makeApi([], { title: "A", version: "1" }, { projections: [projection] }))
    for (const path of ["/api/_projections/sums", "/api/_projections"]) {
      const responses = JSON.stringify(paths[path]?.get?.responses)
      for (const name of ["overloaded", "invalid-request", "internal"]) assert.include(responses, `problem.${name}"`)
    }
  })

  it("says where it is served: on the server that it came from", () => {
    assert.deepStrictEqual((document as unknown as { readonly servers: unknown }).servers, [{ url: "/" }])
  })

  it("says how dates, ids, keys, counts and conditions are written", () => {
    const fields = {
      id: Schema.String.check(Schema.isUUID()),
      at: Schema.Date,
      until: Schema.NullOr(Schema.DateTimeUtc),
      note: Schema.optionalKey(Schema.NullOr(Schema.NullOr(Schema.String)))
    }
    const made = makeApi([{ name: "A", path: "as", idField: "id", fields }], { title: "A", version: "1" })
    const { components, paths } = JSON.parse(JSON.stringify(openApiDocument(made))) as Document
    const { at, note, until } = components.schemas.A!.properties! as Record<string, SchemaNode & { format?: string }>
    const date = new RegExp(at!.pattern!, "u")
    assert.strictEqual(at!.format, "date-time")
    for (const text of ["2026-02-01T10:00:00Z", "2024-02-29t10:00:00.123+01:00", "0000-01-01T00:00:00Z"]) {
      assert.match(text, date)
    }
    for (const text of [
      "2026-02-01",
      "2026-02-01T10:00:00",
      "2026-02-30T10:00:00Z",
      "2023-02-29T10:00:00Z",
      "+02026-02-01T10:00:00Z"
    ]) {
      assert.notMatch(text, date)
    }
    // Null once, however often it was said.
    assert.deepStrictEqual(
      [until, note].map((each) => each?.anyOf?.map(({ type }) => type)),
      [
        ["string", "null"],
        ["string", "null"]
      ]
    )
    const patternOf = (method: string, path: string, name: string) =>
      new RegExp(paths[path]![method]!.parameters.find((each) => each.name === name)!.schema.pattern!, "u")
    const taken: ReadonlyArray<readonly [string, string, string, ReadonlyArray<string>, ReadonlyArray<string>]> = [
      ["post", "/api/as", "idempotency-key", ["k", "~".repeat(255)], ["", "a b", "é", "~".repeat(256)]],
      ["get", "/api/as", "lithair-min-index", ["0", "17"], ["-1", "1.5", "", "+1"]],
      ["patch", "/api/as/{id}", "if-match", ["*", '"3"', 'W/"3", "4"'], ["3", '"3', ""]],
      ["get", "/api/as", "order", ["at", "at.desc,id"], ["", "at.up", "other"]],
      ["get", "/api/as", "select", ["at,id"], ["", "at,", "other"]],
      ["get", "/api/as", "limit", ["1", "1000"], ["0", "1001", ""]],
      ["get", "/api/as", "at", ["gte.2026-02-01T10:00:00Z", "is.null"], ["", "2026", "gte.2026", "like.a"]],
      ["get", "/api/as", "note", ["eq.", "like.a*", 'in.a,"b,c"', "is.notnull"], ["", "a", "is.", "is.x"]],
      ["get", "/api/_operations/{key}", "key", ["k"], ["", "a b"]]
    ]
    for (const [method, path, name, fit, unfit] of taken) {
      const pattern = patternOf(method, path, name)
      for (const text of fit) assert.match(text, pattern, name)
      for (const text of unfit) assert.notMatch(text, pattern, name)
    }
  })

  it("gives every operation an id of its own", () => {
    const ids = Object.values(document.paths).flatMap((it) => Object.values(it).map((each) => each.operationId))
    assert.strictEqual(new Set(ids).size, ids.length)
    assert.include(ids, "Product.create")
  })
})
