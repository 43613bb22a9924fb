/** Makes, lists and revokes API keys, for operators. docs/access.md, "API keys". */
import { Clock, Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import type { Problem } from "../Problem.ts"
import * as ApiKeys from "../Repository/ApiKeys.ts"
import type { ChangeFailure, Records } from "../Repository/Records.ts"
import { noFlags, readBody } from "./AdminRoutes.ts"
import { type Acting, operating } from "./OperatorRoutes.ts"
import { problemOfChange, problemOfFailure } from "./Outcomes.ts"

export const keysPath = "/_admin/api/keys"
export const keyPath = "/_admin/api/keys/:member"

const noStore = { "cache-control": "no-store" }

const problemOf = (failure: ChangeFailure | Problem): Problem =>
  failure._tag === "Problem" ? failure : problemOfChange(failure, undefined)

/** Makes the routes. All of them are for operators: a list of keys says who may do what. */
export const keyRoutes = ({
  member,
  records
}: {
  readonly member: Member["Service"]
  readonly records: Records["Service"]
}) => {
  const list = Effect.fnUntraced(function* () {
    yield* noFlags
    yield* Effect.mapError(member.readIndex, (failure) => problemOfFailure(failure, undefined))
    return HttpServerResponse.jsonUnsafe({ items: ApiKeys.listed(member.tables) }, { headers: noStore })
  })
  const create = Effect.fnUntraced(function* ({ note }: Acting) {
    yield* noFlags
    const asked = yield* readBody(ApiKeys.NewKey)
    note({ name: asked.name, roles: asked.roles ?? [] })
    const made = yield* Effect.mapError(ApiKeys.create(records, asked, yield* Clock.currentTimeMillis), problemOf)
    note({ key: made.id })
    return HttpServerResponse.jsonUnsafe(made, { status: 201, headers: noStore })
  })
  const revoke = Effect.fnUntraced(function* ({ note }: Acting) {
    yield* noFlags
    const { member: id = "" } = yield* HttpRouter.params
    note({ key: id })
    yield* Effect.mapError(ApiKeys.revoke(records, id), problemOf)
    return HttpServerResponse.empty({ status: 204 })
  })
  return [
    operating("GET", keysPath, list),
    operating("POST", keysPath, create),
    operating("DELETE", keyPath, revoke)
  ] as const
}
