/** Checks the rules of a model, where the model is declared. Pure. */
import { branchCountOf, branchesMaxCount, branchFieldsOf } from "../Access/fold.ts"
import { type Action, fieldsOf, type Rules, setsOf } from "../Access/Rule.ts"
import { invariant } from "../Invariant.ts"

/** Fails if the rules name an unknown field, have too many branches, or make a list look at every record. */
export const checkAccess = (
  model: string,
  access: Rules | undefined,
  of: {
    readonly idField: string
    readonly isLocal: boolean
    /** The fields of the record that one log keeps whole. */
    readonly kept: ReadonlyArray<string>
    readonly indexedFields: ReadonlyArray<string>
  }
): void => {
  if (access === undefined) return
  const known = [of.idField, ...of.kept]
  for (const action of Object.keys(access.actions) as ReadonlyArray<Action>) {
    const rule = access.actions[action]
    const unknown = fieldsOf(rule).find((field) => !known.includes(field))
    invariant(unknown === undefined, `Model "${model}": its ${action} rule names ${unknown}, which is no field of it`)
    invariant(
      branchCountOf(rule) <= branchesMaxCount,
      `Model "${model}": its ${action} rule has more than ${branchesMaxCount} branches`
    )
    const [set] = of.isLocal ? setsOf(rule) : []
    invariant(
      set === undefined,
      `Model "${model}" is local: its rules cannot use ${set}, a set of the cluster's records`
    )
  }
  const searched = (fields: ReadonlyArray<string>): boolean =>
    fields.length === 0 || fields.some((field) => field === of.idField || of.indexedFields.includes(field))
  const slow = access.scan ? undefined : branchFieldsOf(access.actions.read).find((fields) => !searched(fields))
  invariant(
    slow === undefined,
    `Model "${model}": lists under its read rule would look at every record, since neither of ${slow?.join(", ")} is indexed: add it to \`indexes\`, or say { scan: true }`
  )
}
