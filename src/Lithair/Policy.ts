/**
 * What a node enforces, from the declarations of its application. With `auth` everything is denied that no rule allows: a
 * declaration without a rule fails here, before the node starts.
 */
import type { Policy } from "../Access/Policy.ts"
import { type Rule, setsOf } from "../Access/Rule.ts"
import type { Any as AnyCommand } from "../Command/Declaration.ts"
import type { Auth, External } from "../Http/Authenticator.ts"
import { invariant } from "../Invariant.ts"
import { type Described, describe } from "../Model/Class.ts"
import type { Descriptor } from "../Model/Descriptor.ts"
import { type Dropped, split } from "../Model/Dropped.ts"
import type { Projection } from "../Projection/Projections.ts"
import type { Sql } from "../Projection/Sql.ts"

/** The declarations that rules belong to. */
interface Declarations {
  readonly models: ReadonlyArray<Described | Dropped>
  readonly commands?: ReadonlyArray<AnyCommand>
  readonly projections?: ReadonlyArray<Projection | Sql<unknown>>
  readonly auth?: Auth<unknown> | External
}

/** Nobody but the application's own code runs a command that HTTP does not know. */
const isServed = ({ isServed }: AnyCommand): boolean => isServed

/** The policy of an application; undefined if it is open, or guards itself. */
export const policyOf = ({ auth, commands = [], models, projections = [] }: Declarations): Policy | undefined => {
  if (auth === undefined || auth._tag === "External") return undefined
  for (const { name, security } of auth.authenticators) {
    const isRead = security._tag === "Http" ? security.scheme.toLowerCase() === "bearer" : security.in !== "query"
    invariant(
      isRead,
      `The authenticator ${name} takes no bearer token, header or cookie: a node reads no other credential`
    )
  }
  const descriptors = split(models).models.map(describe)
  const sets = new Map(Object.entries(auth.sets ?? {}))
  for (const [name, { by, model, value }] of sets) checkSet(descriptors, { name, by, model, value })

  const checkSets = (what: string, rule: Rule): void => {
    const unknown = setsOf(rule).find((name) => !sets.has(name))
    invariant(unknown === undefined, `${what} uses the set ${unknown}, which auth does not declare`)
  }
  const ruled = (what: string, rule: Rule | undefined): Rule => {
    invariant(rule !== undefined, `${what} has no access: with auth, say who may use it`)
    checkSets(what, rule)
    return rule
  }
  for (const { access, isServed, name } of descriptors) {
    if (access !== undefined) for (const rule of Object.values(access.actions)) checkSets(`Model "${name}"`, rule)
    invariant(
      access !== undefined || !isServed,
      `Model "${name}" has no access: with auth, say who may do what, or http: false`
    )
  }
  const folded = projections.flatMap((projection) =>
    projection._tag === "Sqlite" || projection._tag === "Sql" || !projection.isServed ? [] : [projection]
  )
  return {
    sets,
    commands: new Map(commands.filter(isServed).map(({ access, name }) => [name, ruled(`Command "${name}"`, access)])),
    projections: new Map(folded.map(({ access, name }) => [name, ruled(`Projection "${name}"`, access)]))
  }
}

const checkSet = (
  descriptors: ReadonlyArray<Descriptor>,
  {
    by,
    model,
    name,
    value
  }: { readonly name: string; readonly model: string; readonly by: string; readonly value: string }
): void => {
  const source = descriptors.find((descriptor) => descriptor.name === model)
  invariant(
    source !== undefined && source.mode !== "local",
    `The set ${name} is of ${model}, which is no replicated model here`
  )
  invariant(source.indexedFields.includes(by), `The set ${name} needs an index of ${model}: add ${by} to its indexes`)
  const isField = value === source.idField || source.replicatedFields.includes(value)
  invariant(isField, `The set ${name} is of ${value}, which is no replicated field of ${model}`)
}
