/** Serves the versions of this node's models, for operators who roll out a change of a model. docs/evolution.md. */
import { Effect } from "effect"
import { HttpServerResponse } from "effect/http"
import type { Member } from "../Cluster/Member.ts"
import type { LocalNode } from "../Local/LocalNode.ts"
import * as Format from "../Machine/Format.ts"
import { storedVersions } from "../Machine/Rows.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { noFlags } from "./AdminRoutes.ts"
import { viewing } from "./OperatorRoutes.ts"

/** The log of a local model is the node's own, and so is that of the local parts of a mixed one. */
const statusOf = (
  { local, member }: { readonly member: Tables; readonly local: Tables },
  { mode, name, path, version }: Descriptor
) => {
  const table = (mode === "local" ? local : member).byModel.get(name)
  const active = table === undefined || table.modelVersion === 0 ? null : table.modelVersion
  const stored = Object.fromEntries(storedVersions(table))
  const parts = mode === "mixed" ? { localParts: Object.fromEntries(storedVersions(local.byModel.get(name))) } : {}
  return { name, path, mode, version, active, stored, ...parts }
}

/** Makes the route `/_admin/api/models`. */
export const modelStatusRoutes = (
  member: Member["Service"],
  local: Pick<LocalNode["Service"], "tables">,
  models: ReadonlyArray<Descriptor>
) =>
  [
    viewing(
      "/_admin/api/models",
      Effect.map(noFlags, () => {
        const { tables } = member
        const format = { version: Format.newest, active: tables.index === 0 ? null : tables.format }
        const dropped = [...tables.byModel]
          .filter(([, { isEnded }]) => isEnded)
          .map(([name, { rows }]) => ({ name, records: rows.size }))
        const items = models.map((model) => statusOf({ member: tables, local: local.tables }, model))
        return HttpServerResponse.jsonUnsafe({ format, items, dropped })
      })
    )
  ] as const
