/**
 * Routes that erase a record for good, and tell how far the members are with it. They are for operators alone, since
 * they name records. docs/operating.md, "Erase a record".
 */
import { Effect, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import type { MemberErased } from "../Cluster/Order.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { invalidRequest, notFound, type Problem, type ProblemError } from "../Problem.ts"
import { problemOfRejection } from "../Repository/RejectionProblem.ts"
import { noFlags, readBody } from "./AdminRoutes.ts"
import { type Acting, operating } from "./OperatorRoutes.ts"
import { problemOfFailure } from "./Outcomes.ts"
import { invalidQuery, only, parseParams, refuseOthers } from "./Params.ts"

/** The record to erase, by the name of its model. */
export const ToErase = Schema.Struct({ model: Schema.NonEmptyString, id: Schema.NonEmptyString }).annotate({
  identifier: "lithair.ToErase"
})

/** An erasure. It is done once no file of any member holds the data. */
export const Erasure = Schema.Struct({
  model: Schema.String,
  id: Schema.String,
  index: Schema.Int.annotateKey({ description: "The entry that erased the record: the data before it is erased" }),
  done: Schema.Boolean,
  waitingFor: Schema.Array(Schema.String).annotateKey({ description: "The members that have not carried it out" })
}).annotate({ identifier: "lithair.Erasure" })

/** A page of erasures, oldest first, with the last one that each member has carried out. */
export const Erasures = Schema.Struct({
  items: Schema.Array(
    Schema.Struct({ model: Schema.String, id: Schema.String, index: Schema.Int, done: Schema.Boolean })
  ),
  next: Schema.NullOr(Schema.Int).annotateKey({ description: "Give it as `after` to get the next page" }),
  members: Schema.Array(Schema.Struct({ id: Schema.String, erasedThrough: Schema.Int }))
}).annotate({ identifier: "lithair.Erasures" })

export const erasuresPath = "/_admin/api/erasures"
export const erasurePath = "/_admin/api/erasures/:model/:record"

/** The most erasures of a page, unless one entry has more. */
const pageMaxCount = 1_000

interface Erased {
  readonly model: string
  readonly id: string
  readonly index: number
}

/** The erasures after an index, oldest first: all of an entry, or none of it. */
const pageOf = (
  tables: Tables,
  after: number
): { readonly items: ReadonlyArray<Erased>; readonly next: number | null } => {
  const all = [...tables.byModel]
    .flatMap(([model, { erasures }]) => Array.from(erasures.entries(), ([id, index]): Erased => ({ model, id, index })))
    .filter(({ index }) => index > after)
    .sort((one, other) => one.index - other.index)
  const last = all[pageMaxCount - 1]
  const items = last === undefined ? all : all.filter(({ index }) => index <= last.index)
  return { items, next: items.length < all.length ? (last?.index ?? null) : null }
}

const afterOf = Effect.gen(function* () {
  const { url } = yield* HttpServerRequest.HttpServerRequest
  const params = yield* Effect.fromResult(parseParams(url))
  yield* Effect.fromResult(refuseOthers(params, ["after"]))
  const errors: Array<ProblemError> = []
  const after = only(params, "after", errors)
  if (after !== undefined && !/^\d{1,15}$/.test(after)) errors.push({ path: "after", message: "takes an index from 0" })
  if (errors.length > 0) return yield* invalidQuery("The query is invalid", errors)
  return Number(after ?? 0)
})

/** Makes the routes. */
export const erasureRoutes = (member: Member["Service"], models: ReadonlyArray<Descriptor>) => {
  const administered = (order: Parameters<Member["Service"]["administer"]>[0]) =>
    Effect.mapError(member.administer(order), (error): Problem => problemOfFailure(error, undefined))

  const membersErased = (admitted: Acting["admitted"]) =>
    Effect.map(
      administered({ _tag: "AskErased", admitted }),
      (told): ReadonlyArray<MemberErased> => (told._tag === "ErasedThrough" ? told.members : [])
    )

  const stateOf = (erased: Erased, members: ReadonlyArray<MemberErased>): typeof Erasure.Type => {
    const waitingFor = members.filter(({ throughIndex }) => throughIndex < erased.index).map(({ id }) => id)
    return { ...erased, done: members.length > 0 && waitingFor.length === 0, waitingFor }
  }

  const erase = Effect.fnUntraced(function* ({ admitted, note }: Acting) {
    yield* noFlags
    const { id, model } = yield* readBody(ToErase)
    note({ model, id })
    const descriptor = models.find(({ name }) => name === model)
    if (descriptor === undefined) return yield* notFound(`There is no model ${model}`)
    if (descriptor.mode === "local") {
      return yield* invalidRequest(`${model} stays on each node, and its records are in no log of the cluster`, [
        { path: "model", message: "takes a replicated or a mixed model" }
      ])
    }
    const done = yield* administered({ _tag: "EraseRecord", admitted, model, id })
    if (done._tag === "NotErased") return yield* problemOfRejection(done.rejection, undefined)
    const index = done._tag === "Erased" ? done.index : 0
    const state = stateOf({ model, id, index }, yield* membersErased(admitted))
    return HttpServerResponse.jsonUnsafe(state, { status: 202 })
  })

  const one = Effect.fnUntraced(function* ({ admitted }: Acting) {
    yield* noFlags
    const { model = "", record: id = "" } = yield* HttpRouter.params
    yield* Effect.mapError(member.readIndex, (error) => problemOfFailure(error, undefined))
    const index = member.tables.byModel.get(model)?.erasures.get(id)
    if (index === undefined) return yield* notFound(`No ${model} ${id} was erased`)
    return HttpServerResponse.jsonUnsafe(stateOf({ model, id, index }, yield* membersErased(admitted)))
  })

  const all = Effect.fnUntraced(function* ({ admitted }: Acting) {
    const after = yield* afterOf
    yield* Effect.mapError(member.readIndex, (error) => problemOfFailure(error, undefined))
    const { items, next } = pageOf(member.tables, after)
    const members = yield* membersErased(admitted)
    return HttpServerResponse.jsonUnsafe({
      items: items.map((erased) => ({ ...erased, done: stateOf(erased, members).done })),
      next,
      members: members.map(({ id, throughIndex }) => ({ id, erasedThrough: throughIndex }))
    } satisfies typeof Erasures.Type)
  })

  return [
    operating("POST", erasuresPath, erase),
    operating("GET", erasuresPath, all),
    operating("GET", erasurePath, one)
  ] as const
}
