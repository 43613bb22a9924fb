/**
 * The models of a simulated cluster that has rules, and what a seed draws for them: who may do what, and who asks. Papers
 * have masked and hidden fields, remarks refer to them, and memberships say which teams a reader is in.
 */

import { Schema } from "effect"
import type { Principal } from "../../Access/Caller.ts"
import { branchCountOf, branchesMaxCount } from "../../Access/fold.ts"
import type { Policy } from "../../Access/Policy.ts"
import { type Action, any, anyone, type Rule, rules, signedIn } from "../../Access/Rule.ts"
import { Class, describe } from "../../Model/Class.ts"
import type { Descriptor } from "../../Model/Descriptor.ts"
import type { EncodedRecord } from "../../Model/EncodedRecord.ts"
import { id, replicate } from "../../Model/Field.ts"
import { hidden, masked, owner } from "../../Model/GuardedField.ts"
import { descriptors } from "./Models.ts"
import * as Random from "./Random.ts"
import { type Choices, drawReaders, drawRule, holds, type Judged, type Reader, type Sets } from "./RandomRules.ts"

/** Each seed has rules of its own in their place. */
const anything = rules<never>(() => ({ read: anyone, create: anyone, update: anyone, delete: anyone }), { scan: true })

/** What nobody reads who may not: the values begin with it. */
export const markBegins = "MARK"
export const secretBegins = "SECRET"

export class Paper extends Class<Paper>("Paper")(
  {
    id: id(Schema.String),
    ownerId: owner,
    team: replicate(Schema.NullOr(Schema.String)),
    kind: Schema.String,
    n: Schema.Int,
    code: Schema.optionalKey(Schema.String),
    mark: masked(Schema.String, { roles: ["auditor"], initial: markBegins }),
    secret: hidden(Schema.String, { initial: secretBegins })
  },
  { indexes: ["team", "kind"], unique: ["code"], access: anything }
) {}

/** A remark goes with its paper. It may also name another one, which then cannot be deleted. */
export class Remark extends Class<Remark>("Remark")(
  {
    id: id(Schema.String),
    ownerId: owner,
    team: replicate(Schema.NullOr(Schema.String)),
    kind: Schema.String,
    paperId: Schema.String,
    seeId: Schema.NullOr(Schema.String)
  },
  {
    references: {
      paperId: { model: Paper, onDelete: "cascade" },
      seeId: { model: Paper, onDelete: "restrict" }
    },
    access: anything
  }
) {}

/** Its records are a set of their user. Clients do not know the model. */
export class Membership extends Class<Membership>("Membership")(
  { id: id(Schema.String), userId: replicate(Schema.String), team: Schema.String },
  { indexes: ["userId"], http: false }
) {}

/** The models that have rules, by name. */
export const ruledModels = ["Paper", "Remark"] as const
export type RuledModel = (typeof ruledModels)[number]

export const paperIds: ReadonlyArray<string> = Array.from({ length: 6 }, (_, at) => `i${at}`)
export const remarkIds: ReadonlyArray<string> = Array.from({ length: 4 }, (_, at) => `r${at}`)
export const membershipIds: ReadonlyArray<string> = Array.from({ length: 5 }, (_, at) => `m${at}`)

/** Whether an event is of one of these models: no client of another kind writes them. */
export const isOfPapers = ({ model }: { readonly model: string }): boolean =>
  model === "Paper" || model === "Remark" || model === "Membership"

/** What a seed has drawn. */
export interface Ruled {
  readonly descriptors: ReadonlyArray<Descriptor>
  readonly byName: Readonly<Record<RuledModel, Descriptor>>
  readonly actions: Readonly<Record<RuledModel, Readonly<Record<Action, Rule>>>>
  readonly policy: Policy
  /** Those who read and write. The last one has not signed in. */
  readonly readers: ReadonlyArray<Reader>
}

const salt = 6_291_469

/** Draws the rules and the readers of a seed. */
export const draw = (seed: number): Ruled => {
  const random = Random.make(seed ^ salt)
  const choices: Choices = {
    below: (bound) => Random.below(random, bound),
    pick: (from) => Random.pick(random, from)
  }
  /** Mostly something is allowed: where nobody may do anything, nothing can go wrong. */
  const opened = (rule: Rule): Rule => (branchCountOf(rule) < branchesMaxCount ? any(rule, pickLeaf()) : rule)
  const pickLeaf = (): Rule =>
    choices.pick<Rule>([
      { _tag: "Equals", field: "ownerId", value: { _tag: "Id" } },
      { _tag: "In", field: "team", values: { _tag: "Set", name: "teams" } },
      { _tag: "In", field: "kind", values: { _tag: "Literals", values: ["k0", "k1"] } }
    ])
  const rule = (): Rule => (choices.below(4) === 0 ? drawRule(choices) : opened(drawRule(choices)))
  const drawActions = (): Record<Action, Rule> => ({
    read: rule(),
    create: choices.below(3) > 0 ? signedIn : rule(),
    update: rule(),
    delete: rule()
  })
  const actions = { Paper: drawActions(), Remark: drawActions() }
  const ruledOf = (descriptor: Descriptor, of: Record<Action, Rule>): Descriptor => ({
    ...descriptor,
    access: rules(() => of, { scan: true })
  })
  const byName = { Paper: ruledOf(describe(Paper), actions.Paper), Remark: ruledOf(describe(Remark), actions.Remark) }
  return {
    descriptors: [...descriptors, byName.Paper, byName.Remark, describe(Membership)],
    byName,
    actions,
    policy: {
      sets: new Map([["teams", { model: "Membership", by: "userId", value: "team" }]]),
      commands: new Map(),
      projections: new Map()
    },
    readers: drawReaders(choices)
  }
}

/** Whether a rule lets a reader do something to a record. */
export const may = (
  { actions }: Ruled,
  action: Action,
  reader: Reader,
  of: { readonly model: RuledModel; readonly record: EncodedRecord; readonly sets: Sets }
): boolean => holds(actions[of.model][action], reader, of.record as unknown as Judged, of.sets)

export const isAuditor = (reader: Reader): reader is Principal =>
  reader._tag === "Principal" && reader.roles.includes("auditor")

/** The record as a reader sees it. */
export const shownTo = (reader: Reader, record: EncodedRecord): EncodedRecord =>
  Object.fromEntries(
    Object.entries(record).filter(([field]) => field !== "secret" && (field !== "mark" || isAuditor(reader)))
  )
