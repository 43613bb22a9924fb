/** Serves the versions of the cluster's models, for operators who roll out a change of a model. docs/evolution.md. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import { inSlices } from "../Local/inSlices.ts"
import * as Format from "../Machine/Format.ts"
import { storedVersions } from "../Machine/ModelCheck.ts"
import { clone, type Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"

const statusOf = Effect.fnUntraced(function* (tables: Tables, { mode, name, path, version }: Descriptor) {
  const counts = yield* inSlices(storedVersions(tables, name))
  const active = tables.byModel.get(name)?.modelVersion ?? 0
  return {
    name,
    path,
    mode,
    version,
    active: active === 0 ? null : active,
    stored: Object.fromEntries([...counts.entries()].toSorted(([left], [right]) => left - right))
  }
})

/** Makes the route `/_admin/api/models`. */
export const modelStatusRoutes = (member: Member["Service"], models: ReadonlyArray<Descriptor>) =>
  [
    HttpRouter.route(
      "GET",
      "/_admin/api/models",
      Effect.suspend(() => {
        // The counts are of one state, however long it takes to count.
        const tables = clone(member.tables)
        const replicated = models.filter(({ mode }) => mode !== "local")
        const format = { version: Format.newest, active: tables.index === 0 ? null : tables.format }
        return Effect.map(
          Effect.forEach(replicated, (model) => statusOf(tables, model)),
          (items) => HttpServerResponse.jsonUnsafe({ format, items })
        )
      })
    )
  ] as const
