/** The tables of a node that hold the records of a model, as a list reads them. */
import { invariant } from "../Invariant.ts"
import type { ListSource } from "../Machine/List.ts"
import type { Table } from "../Machine/Table.ts"
import type { Tables } from "../Machine/Tables.ts"
import type { Descriptor } from "../Model/Descriptor.ts"

/** The tables of both logs of a node. */
export interface TablesOfNode {
  readonly member: { readonly tables: Tables }
  readonly local: { readonly tables: Tables }
}

/** All records of a model, with this node's parts, as they are now. Use them at once, before any other code runs. */
export const sourceOf = ({ local, member }: TablesOfNode, descriptor: Descriptor): ListSource => {
  const { idField, mode } = descriptor
  if (mode === "local") return { table: tableOf(local.tables, descriptor), idField }
  return { table: tableOf(member.tables, descriptor), idField, ...localPartsOf(local.tables, descriptor) }
}

const tableOf = (tables: Tables, { name }: Descriptor): Table => {
  const table = tables.byModel.get(name)
  invariant(table !== undefined, `model ${name} has no table`)
  return table
}

/** The parts that this node holds. The table does not exist before the first part. */
const localPartsOf = (tables: Tables, { name }: Descriptor): Pick<ListSource, "localParts"> => {
  const table = tables.byModel.get(name)
  return table === undefined ? {} : { localParts: table.localParts }
}
