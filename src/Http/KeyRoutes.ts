/** Makes, lists and revokes API keys, for operators. docs/access.md, "API keys". */
import { Clock, Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import type { Problem } from "../Problem.ts"
import * as ApiKeys from "../Repository/ApiKeys.ts"
import type { ChangeFailure, Records } from "../Repository/Records.ts"
import { admit } from "./AdminAccess.ts"
import { noFlags, readBody } from "./AdminRoutes.ts"
import { problemOfChange, problemOfFailure } from "./Outcomes.ts"

export const keysPath = "/_admin/api/keys"
export const keyPath = "/_admin/api/keys/:member"

const noStore = { "cache-control": "no-store" }

const problemOf = (failure: ChangeFailure | Problem): Problem =>
  failure._tag === "Problem" ? failure : problemOfChange(failure, undefined)

/** Makes the routes. `secret` is the cluster's, if it has one. */
export const keyRoutes = (
  { member, records }: { readonly member: Member["Service"]; readonly records: Records["Service"] },
  secret: string | undefined
) => {
  const admitted = Effect.andThen(admit(secret), noFlags)
  const list = Effect.gen(function* () {
    yield* admitted
    yield* Effect.mapError(member.readIndex, (failure) => problemOfFailure(failure, undefined))
    return HttpServerResponse.jsonUnsafe({ items: ApiKeys.listed(member.tables) }, { headers: noStore })
  })
  const create = Effect.gen(function* () {
    yield* admitted
    const asked = yield* readBody(ApiKeys.NewKey)
    const made = yield* Effect.mapError(ApiKeys.create(records, asked, yield* Clock.currentTimeMillis), problemOf)
    return HttpServerResponse.jsonUnsafe(made, { status: 201, headers: noStore })
  })
  const revoke = Effect.gen(function* () {
    yield* admitted
    const { member: id = "" } = yield* HttpRouter.params
    yield* Effect.mapError(ApiKeys.revoke(records, id), problemOf)
    return HttpServerResponse.empty({ status: 204 })
  })
  return [
    HttpRouter.route("GET", keysPath, list),
    HttpRouter.route("POST", keysPath, create),
    HttpRouter.route("DELETE", keyPath, revoke)
  ] as const
}
