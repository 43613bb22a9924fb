/** An application with rules, and programs that ask it as one caller or another. */
import { assert } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { HttpClient, HttpClientRequest } from "effect/http"
import type { HttpMethod } from "effect/http/HttpMethod"
import * as Access from "../../src/Access.ts"
import * as Command from "../../src/Command.ts"
import * as Model from "../../src/Model.ts"
import * as Projection from "../../src/Projection.ts"
import { TestCluster } from "../../src/Testing.ts"

const id = Model.id(Schema.String)

export class Membership extends Model.Class<Membership>("Membership")(
  { id, userId: Model.replicate(Schema.String), teamId: Schema.String },
  {
    indexes: ["userId"],
    access: Access.rules(({ row, who }) => ({
      read: Access.any(who.is("staff"), row.userId.eq(who.id)),
      create: who.is("staff"),
      update: Access.nobody,
      delete: who.is("staff")
    }))
  }
) {}

/** A note is read by its owner, by its team and by staff, changed by its owner, and deleted by staff. */
export class Note extends Model.Class<Note>("Note")(
  {
    id,
    ownerId: Model.owner,
    teamId: Model.replicate(Schema.NullOr(Schema.String)),
    rank: Schema.Int,
    slug: Schema.optionalKey(Schema.String),
    likes: Model.commandOnly(Schema.Int, { initial: 0 }),
    mark: Model.masked(Schema.String, { roles: ["staff", "auditor"], initial: "none" }),
    pin: Model.hidden(Schema.String, { initial: "0000" })
  },
  {
    indexes: ["teamId", "rank"],
    unique: ["slug"],
    access: Access.rules(({ row, who }) => ({
      read: Access.any(who.is("staff"), row.ownerId.eq(who.id), row.teamId.in(who.set("teams"))),
      create: Access.signedIn,
      update: row.ownerId.eq(who.id),
      delete: who.is("staff")
    }))
  }
) {}

/** A remark refers to a note, and goes with it. Its author alone may delete it. */
export class Remark extends Model.Class<Remark>("Remark")(
  { id, ownerId: Model.owner, noteId: Model.replicate(Schema.String) },
  {
    references: { noteId: { model: Note, onDelete: "cascade" } },
    access: Access.rules(({ row, who }) => ({
      read: Access.signedIn,
      create: Access.signedIn,
      update: Access.nobody,
      delete: row.ownerId.eq(who.id)
    }))
  }
) {}

/** A plan is its owner's alone: one branch, without a set. */
export class Plan extends Model.Class<Plan>("Plan")(
  { id, ownerId: Model.owner, text: Model.replicate(Schema.String) },
  {
    access: Access.rules(({ row, who }) => ({
      read: row.ownerId.eq(who.id),
      create: Access.signedIn,
      update: row.ownerId.eq(who.id),
      delete: row.ownerId.eq(who.id)
    }))
  }
) {}

/** What staff has done: nobody else reads any of it. */
export class Audit extends Model.Class<Audit>("Audit")(
  { id, what: Model.replicate(Schema.String) },
  {
    access: Access.rules(({ who }) => ({
      read: who.is("staff"),
      create: who.is("staff"),
      update: Access.nobody,
      delete: Access.nobody
    }))
  }
) {}

export class Session extends Model.Class<Session>("Session")(
  { id, token: Model.replicate(Schema.String) },
  { http: false }
) {}

export const like = Command.make("like", {
  payload: Schema.Struct({ id: Schema.String }),
  success: Schema.Struct({ likes: Schema.Int, by: Schema.NullOr(Schema.String) }),
  access: Access.signedIn
})
export const purge = Command.make("purge", {
  payload: Schema.Struct({}),
  success: Schema.Void,
  access: { _tag: "Is", role: "staff" }
})

export const count = Projection.make("count", {
  from: [Note],
  version: 1,
  state: Schema.Int,
  initial: 0,
  access: { _tag: "Is", role: "staff" },
  evolve: (state: number) => state + 1
})

export const application = {
  models: [Membership, Note, Remark, Plan, Audit, Session],
  commands: [like, purge],
  projections: [count],
  auth: {
    authenticators: [Access.apiKeys],
    sets: { teams: Access.set(Membership, "userId", "teamId") }
  }
} as const

export const handlers = Layer.mergeAll(
  Command.layer(
    like,
    Effect.fnUntraced(function* ({ id }) {
      const transaction = yield* Command.Transaction
      const { likes } = yield* transaction.get(Note, id)
      yield* transaction.patch(Note, id, { likes: likes + 1 })
      return { likes: likes + 1, by: Access.idOf(yield* Command.Caller) ?? null }
    })
  ),
  Command.layer(purge, () => Effect.void)
)

/** The answer to a request. */
export interface Answered {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  // biome-ignore lint/suspicious/noExplicitAny: each test knows the body that it asks for.
  readonly body: any
}

/** Asks a node as the holder of a key, or as nobody. */
export const ask = (
  method: HttpMethod,
  path: string,
  {
    body,
    headers = {},
    key
  }: { readonly key?: string | undefined; readonly body?: unknown; readonly headers?: Record<string, string> } = {}
): Effect.Effect<Answered, never, HttpClient.HttpClient> =>
  HttpClientRequest.make(method)(path).pipe(
    HttpClientRequest.setHeaders(key === undefined ? headers : { ...headers, authorization: `Bearer ${key}` }),
    (request) => (body === undefined ? request : HttpClientRequest.bodyJsonUnsafe(request, body)),
    HttpClient.execute,
    Effect.flatMap((response) =>
      Effect.map(response.text, (text) => ({
        status: response.status,
        headers: response.headers,
        body: text === "" || response.headers["content-type"]?.includes("json") !== true ? text : JSON.parse(text)
      }))
    ),
    Effect.orDie
  )

/** Makes an API key. */
export const makeKey = (
  name: string,
  more: { readonly roles?: ReadonlyArray<string>; readonly expiresInSeconds?: number } = {}
) =>
  Effect.map(
    ask("POST", "/_admin/api/keys", { body: { name, ...more } }),
    ({ body }) =>
      body as {
        readonly id: string
        readonly key: string
        readonly principal: string
      }
  )

/** A cluster of three nodes with the application. */
export const provide = <A, E>(program: Effect.Effect<A, E, TestCluster>) =>
  program.pipe(Effect.provide(TestCluster.layer(application).pipe(Layer.provide(handlers))))

/** Ada and Bob, who own notes, and Sam, who is staff. Ada is in the red team. */
export const people = Effect.gen(function* () {
  const { on } = yield* TestCluster
  const ada = yield* on("n1", makeKey("ada"))
  const bob = yield* on("n2", makeKey("bob"))
  const sam = yield* on("n3", makeKey("sam", { roles: ["staff"] }))
  const membership = { id: "m1", userId: ada.principal, teamId: "red" }
  assert.strictEqual((yield* on("n1", ask("POST", "/api/memberships", { key: sam.key, body: membership }))).status, 201)
  const note = (id: string, teamId: string | null, key: string) =>
    on("n2", ask("POST", "/api/notes", { key, body: { id, teamId, rank: 1 } }))
  assert.strictEqual((yield* note("of-ada", null, ada.key)).status, 201)
  assert.strictEqual((yield* note("of-bob", null, bob.key)).status, 201)
  assert.strictEqual((yield* note("of-red", "red", bob.key)).status, 201)
  return { ada, bob, sam, on }
})
