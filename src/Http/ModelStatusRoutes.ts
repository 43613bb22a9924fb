/** Serves the versions of the cluster's models, for operators who roll out a change of a model. docs/evolution.md. */
import { Effect } from "effect"
import { HttpRouter, HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import * as Format from "../Machine/Format.ts"
import { storedVersions } from "../Machine/Rows.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { noFlags } from "./AdminRoutes.ts"

const statusOf = (tables: Tables, { mode, name, path, version }: Descriptor) => {
  const table = tables.byModel.get(name)
  const active = table === undefined || table.modelVersion === 0 ? null : table.modelVersion
  return { name, path, mode, version, active, stored: Object.fromEntries(storedVersions(table)) }
}

/** Makes the route `/_admin/api/models`. */
export const modelStatusRoutes = (member: Member["Service"], models: ReadonlyArray<Descriptor>) =>
  [
    HttpRouter.route(
      "GET",
      "/_admin/api/models",
      Effect.map(noFlags, () => {
        const { tables } = member
        const replicated = models.filter(({ mode }) => mode !== "local")
        const format = { version: Format.newest, active: tables.index === 0 ? null : tables.format }
        const dropped = [...tables.byModel]
          .filter(([, { isEnded }]) => isEnded)
          .map(([name, { rows }]) => ({ name, records: rows.size }))
        const items = replicated.map((model) => statusOf(tables, model))
        return HttpServerResponse.jsonUnsafe({ format, items, dropped })
      })
    )
  ] as const
