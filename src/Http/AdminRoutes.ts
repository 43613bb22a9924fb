/**
 * Routes that show and change a running cluster: its members and its leader. Any node takes a change from an operator
 * (AdminAccess.ts) and passes it to the leader.
 */
import { Effect, Result, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { errorsOf } from "../Model/FieldError.ts"
import { invalidRequest, notFound, type ProblemError, problem } from "../Problem.ts"
import { addMember, administer, membershipOf, membershipTag, newMemberFields } from "./Administration.ts"
import { jsonMediaTypes, readJson } from "./Body.ts"
import { operating, viewing } from "./OperatorRoutes.ts"
import { invalidQuery, only, parseParams, refuseOthers } from "./Params.ts"

/** The body that adds a member. */
export const NewMember = Schema.Struct({
  ...newMemberFields,
  promote: Schema.optionalKey(Schema.Boolean).annotateKey({
    description: "true: the node votes once it has caught up. false: it stays a learner until it is promoted"
  })
}).annotate({ identifier: "lithair.NewMember" })
export const NewVoters = Schema.Struct({ voters: Schema.NonEmptyArray(Schema.NonEmptyString) }).annotate({
  identifier: "lithair.NewVoters"
})
export const NewLeader = Schema.Struct({ to: Schema.optionalKey(Schema.NonEmptyString) }).annotate({
  identifier: "lithair.NewLeader"
})

export const Without = Schema.Struct({
  without: Schema.NonEmptyArray(Schema.NonEmptyString).annotateKey({
    description:
      "The members that new versions do not wait for. One that has the former code refuses what it cannot read from then on"
  })
}).annotate({ identifier: "lithair.Without" })

/** The path of the members. */
export const membersPath = "/_admin/api/members"
export const memberPath = "/_admin/api/members/:member"
export const transferPath = "/_admin/api/leader:transfer"
export const activatePath = "/_admin/api/models:activate"

/** Reads a body by its schema. Fails with a 400 that lists each wrong place. */
export const readBody = <A>(schema: Schema.Codec<A, unknown>) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { data } = yield* readJson(request, { mediaTypes: jsonMediaTypes })
    return yield* Schema.decodeUnknownEffect(schema, { errors: "all", onExcessProperty: "error" })(data).pipe(
      Effect.mapError(({ issue }) =>
        invalidRequest("The body does not fit the schema: see the errors", errorsOf(issue))
      )
    )
  })

/** Reads the parameters of a request. Only these are allowed, each with the value `true`. */
const flags = Effect.fnUntraced(function* (...names: ReadonlyArray<string>) {
  const { url } = yield* HttpServerRequest.HttpServerRequest
  const params = yield* Effect.fromResult(parseParams(url))
  yield* Effect.fromResult(refuseOthers(params, names))
  const errors: Array<ProblemError> = []
  const given = names.filter((name) => {
    const value = only(params, name, errors)
    if (value !== undefined && value !== "true") errors.push({ path: name, message: "takes true" })
    return value === "true"
  })
  return yield* Effect.fromResult(
    errors.length === 0 ? Result.succeed(new Set(given)) : Result.fail(invalidQuery("The query is invalid", errors))
  )
})
/** Refuses all parameters. */
export const noFlags = flags()
const forced = Effect.map(flags("force"), (given) => (given.has("force") ? { force: true as const } : {}))

/** Reads `If-Match`: the entity tag of the membership that the caller saw. A change of it without one is refused. */
const ifIndex = Effect.gen(function* () {
  const { headers } = yield* HttpServerRequest.HttpServerRequest
  const header = headers["if-match"]
  if (header === undefined) {
    const detail = `Send If-Match with the ETag of GET ${membersPath}, so that the change is for the members that you saw`
    return yield* problem("precondition-required", detail, {})
  }
  const [, index] = /^"(\d{1,15})"$/.exec(header) ?? []
  if (index === undefined) {
    const errors = [{ path: "If-Match", message: "Expected the ETag of the members" }]
    return yield* invalidRequest("If-Match is not an ETag of the members", errors)
  }
  return { ifIndex: Number(index) }
})

/** Makes the routes of the members and the leader. */
export const adminRoutes = (member: Member["Service"]) => {
  const answered = Effect.sync(() =>
    HttpServerResponse.jsonUnsafe(membershipOf(member), { headers: { etag: membershipTag(member) } })
  )
  const change = Effect.fnUntraced(function* (order: Parameters<Member["Service"]["administer"]>[0]) {
    yield* administer(member, order)
    return yield* answered
  })
  const named = Effect.map(HttpRouter.params, (params) => params.member ?? "")

  const add = operating(
    "POST",
    membersPath,
    Effect.fnUntraced(function* ({ admitted, note }) {
      yield* noFlags
      const { promote, ...added } = yield* readBody(NewMember)
      note({ member: added.id, address: added.address })
      yield* addMember(member, { added, admitted, autoPromote: promote !== false })
      return yield* answered
    })
  )
  const replace = operating(
    "PUT",
    membersPath,
    Effect.fnUntraced(function* ({ admitted, note }) {
      const force = yield* forced
      const condition = yield* ifIndex
      const { voters } = yield* readBody(NewVoters)
      note({ voters, ...force })
      const asked = { _tag: "ReplaceVoters", voters } as const
      return yield* change({ _tag: "ChangeMembers", admitted, change: asked, ...force, ...condition })
    })
  )
  const remove = operating(
    "DELETE",
    memberPath,
    Effect.fnUntraced(function* ({ admitted, note }) {
      const force = yield* forced
      const asked = { _tag: "Remove", id: yield* named } as const
      note({ member: asked.id, ...force })
      const condition = yield* ifIndex
      return yield* change({ _tag: "ChangeMembers", admitted, change: asked, ...force, ...condition })
    })
  )
  const promote = operating(
    "POST",
    memberPath,
    Effect.fnUntraced(function* ({ admitted, note }) {
      yield* noFlags
      const [, id] = /^(.+):promote$/.exec(yield* named) ?? []
      if (id === undefined)
        return yield* notFound("There is nothing at this path: to promote a member, POST to …:promote")
      note({ member: id })
      return yield* change({ _tag: "ChangeMembers", admitted, change: { _tag: "Promote", id } })
    })
  )
  const transfer = operating(
    "POST",
    transferPath,
    Effect.fnUntraced(function* ({ admitted, note }) {
      yield* noFlags
      const { to } = yield* readBody(NewLeader)
      note(to === undefined ? {} : { to })
      return yield* change({ _tag: "TransferLeadership", admitted, ...(to === undefined ? {} : { to }) })
    })
  )
  const activate = operating(
    "POST",
    activatePath,
    Effect.fnUntraced(function* ({ admitted, note }) {
      yield* noFlags
      const { without } = yield* readBody(Without)
      note({ without })
      return yield* change({ _tag: "ActivateWithout", admitted, without })
    })
  )

  return [
    viewing(membersPath, Effect.andThen(noFlags, answered)),
    add,
    replace,
    remove,
    promote,
    transfer,
    activate
  ] as const
}
