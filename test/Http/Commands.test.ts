import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { problemOfDeclared, titleOf } from "../../src/Command/DeclaredProblem.ts"
import * as Command from "../../src/Command.ts"
import { commandRoutes } from "../../src/Http/CommandRoutes.ts"
import { makeApi, openApiDocument } from "../../src/Http/Openapi.ts"
import { toJson } from "../../src/Problem.ts"
import { problemOfRejection } from "../../src/Repository/RejectionProblem.ts"

class NoRoomLeft extends Schema.TaggedError<NoRoomLeft>()(
  "NoRoomLeft",
  { left: Schema.Int, until: Schema.optionalKey(Schema.Date) },
  { httpApiStatus: 422 }
) {
  override get message() {
    return `${this.left} places are left`
  }
}
class TooLate extends Schema.TaggedError<TooLate>()("TooLate", {}) {}

const book = Command.make("book", {
  payload: Schema.Struct({ places: Schema.Int }),
  success: Schema.Struct({ seat: Schema.String }).annotate({ identifier: "Seat" }),
  error: [NoRoomLeft, TooLate]
})

const declared = (error: { readonly _tag: string; readonly [field: string]: Schema.Json }) =>
  ({ _tag: "Declared", command: "book", error }) as const

describe("a declared error as a problem", () => {
  it("has its tag in kebab case as its type, its own status and message, and its fields beside", () => {
    const met = problemOfDeclared(book, declared({ _tag: "NoRoomLeft", left: 2, until: "2026-01-02T00:00:00.000Z" }))
    assert.deepStrictEqual(toJson(met), {
      left: 2,
      until: "2026-01-02T00:00:00.000Z",
      type: "urn:lithair:problem:no-room-left",
      status: 422,
      title: "No room left",
      detail: "2 places are left"
    })
  })

  it("that says nothing of itself is 409 and says its title", () => {
    const { detail, status, title } = problemOfDeclared(book, declared({ _tag: "TooLate" }))
    assert.deepStrictEqual([status, title, detail], [409, "Too late", "Too late"])
    assert.strictEqual(titleOf("HTTPGone"), "Http gone")
  })

  it("of another version of the code is told as far as it can be: a node never fails to answer", () => {
    const newer = problemOfDeclared(book, declared({ _tag: "NoRoomLeft", left: "many" }))
    assert.deepStrictEqual([newer.status, newer.detail, newer.members], [422, "No room left", { left: "many" }])
    const unknown = problemOfRejection(declared({ _tag: "Unknown", _more: [1] }), undefined)
    assert.deepStrictEqual([unknown.kind, unknown.status, unknown.members], ["unknown", 409, { _more: [1] }])
  })

  it("does not take the name of a problem of Lithair itself, or the node does not start", () => {
    class NotFound extends Schema.TaggedError<NotFound>()("NotFound", {}) {}
    const taken = Command.make("find", { payload: Schema.Struct({}), success: Schema.Void, error: [NotFound] })
    const commands = { beginCall: () => () => () => {}, call: () => Effect.never, run: () => Effect.never }
    assert.throws(() => commandRoutes([taken], commands), /Lithair's own/)
  })
})

describe("the document", () => {
  const document = JSON.parse(
    JSON.stringify(openApiDocument(makeApi([], { title: "Seats", version: "1" }, { commands: [book] })))
  )
  const { post } = document.paths["/api/_commands/book"]

  it("has each command with its payload, its success and its errors", () => {
    const { schema } = post.requestBody.content["application/json"]
    assert.deepStrictEqual([Object.keys(schema.properties), schema.required], [["places"], ["places"]])
    assert.deepStrictEqual(post.responses["200"].content["application/json"].schema, {
      $ref: "#/components/schemas/Seat"
    })
    const refs = (status: number) => JSON.stringify(post.responses[status].content["application/problem+json"].schema)
    assert.include(refs(422), "problem.no-room-left")
    assert.include(refs(422), "problem.key-reused")
    assert.include(refs(409), "problem.too-late")
    assert.include(refs(500), "problem.internal")
    const problem = document.components.schemas["problem.no-room-left"]
    assert.sameMembers(Object.keys(problem.properties), ["left", "until", "type", "status", "title", "detail"])
    assert.sameMembers(problem.required, ["left", "type", "status", "title", "detail"])
    assert.include(
      post.parameters.map(({ name }: { readonly name: string }) => name),
      "idempotency-key"
    )
  })

  it("without a command has no such path", () => {
    const { paths } = openApiDocument(makeApi([], { title: "Seats", version: "1" }))
    assert.deepStrictEqual(
      Object.keys(paths).filter((path) => path.includes("_commands")),
      []
    )
  })
})
