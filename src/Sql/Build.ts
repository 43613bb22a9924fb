/**
 * Whether the rows that a database holds of a projection go on, are filled again from the first entry, or belong to
 * somebody else. Pure.
 */
import type { Sql } from "../Projection/Sql.ts"
import type { Note } from "./Note.ts"

/** The build of a projection that this node would make now. */
export interface Build {
  readonly version: number
  readonly models: Readonly<Record<string, number>>
  /** The cluster of this node, and those whose place it took. */
  readonly origin: string
  readonly formerOrigins: ReadonlyArray<string>
  /** The last erasure among its models. */
  readonly erased: number
}

/** What to do about the rows of a note. `again` says why they are filled again. */
export type Verdict =
  | { readonly _tag: "goOn" }
  | { readonly _tag: "again"; readonly why: string }
  | { readonly _tag: "refused"; readonly why: string }

/** The last erasure of a record of these models. */
export const erasedIn = (
  { models }: Pick<Sql<unknown>, "models">,
  tables: { readonly byModel: ReadonlyMap<string, { readonly erasedIndex: number }> }
): number => Math.max(0, ...Object.keys(models).map((model) => tables.byModel.get(model)?.erasedIndex ?? 0))

/** The versions of models as a note has them. */
export const modelsText = (models: Readonly<Record<string, number>>): string =>
  JSON.stringify(Object.fromEntries(Object.entries(models).toSorted(([a], [b]) => (a < b ? -1 : 1))))

const namesIn = (models: Readonly<Record<string, number>>): string => Object.keys(models).toSorted().join(", ")

const refused = (why: string): Verdict => ({ _tag: "refused", why })
const again = (why: string): Verdict => ({ _tag: "again", why })

/** Judges a note by the build that this node would make. */
export const judge = (note: Note, build: Build): Verdict => {
  if (note.origin !== build.origin && !build.formerOrigins.includes(note.origin)) {
    return refused(`the database has the rows of another cluster, ${note.origin}: give each cluster its own database`)
  }
  if (note.version > build.version) {
    return refused(`the database has version ${note.version}, and this node version ${build.version}: upgrade the node`)
  }
  const noted: Readonly<Record<string, number>> = JSON.parse(note.models)
  const newer = Object.entries(build.models).find(([model, version]) => (noted[model] ?? version) > version)
  if (note.version === build.version && newer !== undefined) {
    return refused(
      `its rows are of version ${noted[newer[0]]} of ${newer[0]}, and this node has ${newer[1]}: upgrade the node`
    )
  }
  if (note.version === build.version && namesIn(noted) !== namesIn(build.models)) {
    return refused(
      `its rows follow the models ${namesIn(noted)}, and this node's release ${namesIn(build.models)}: raise "version" with another "from"`
    )
  }
  if (note.origin !== build.origin) return again("the cluster was restored")
  if (note.version < build.version) return again(`version ${build.version} follows version ${note.version}`)
  if (note.models !== modelsText(build.models)) return again("its models have other versions")
  if (note.erased < build.erased) return again(`records were erased at entry ${build.erased}`)
  return { _tag: "goOn" }
}
